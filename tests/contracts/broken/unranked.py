"""A deduplicator that has no rank for some documents."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from xxhash import xxh3_64_intdigest

import corpusmill as mill


class Unranked(mill.Deduplicator):
    """Same keys, the longest mean word stays."""

    def sketch(self, batch: pa.RecordBatch) -> mill.Sketch:
        texts = self.texts(batch).to_pylist()
        rows = np.array([row for row, text in enumerate(texts) if text], np.int64)
        keys = np.array([xxh3_64_intdigest(texts[row].encode()) for row in rows], np.uint64)
        lengths = np.array([[len((text or "").split())] for text in texts], np.int64).reshape(-1, 1)
        return mill.Sketch(keys, rows, lengths)

    def rank(self, batch: pa.RecordBatch) -> Any:
        words = [(text or "").split() for text in self.texts(batch).to_pylist()]
        return np.array([-np.mean([len(one) for one in some]) if some else np.nan for some in words], np.float64)


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.dedup("unranked", Unranked, "Broken on purpose.")
