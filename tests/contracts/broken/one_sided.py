"""A deduplicator whose similarity is measured against the left side."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from xxhash import xxh3_64_intdigest

import corpusmill as mill


class OneSided(mill.Deduplicator):
    """Same keys, like lengths."""

    verifies = True

    def sketch(self, batch: pa.RecordBatch) -> mill.Sketch:
        texts = self.texts(batch).to_pylist()
        rows = np.array([row for row, text in enumerate(texts) if text], np.int64)
        keys = np.array([xxh3_64_intdigest(texts[row].encode()) for row in rows], np.uint64)
        lengths = np.array([[len((text or "").split())] for text in texts], np.int64).reshape(-1, 1)
        return mill.Sketch(keys, rows, lengths)

    def similarity(self, left: Any, right: Any) -> Any:
        return (np.minimum(left, right) / np.maximum(left, 1)).mean(axis=1)

    def threshold(self) -> float:
        return 0.5


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.dedup("one-sided", OneSided, "Broken on purpose.")
