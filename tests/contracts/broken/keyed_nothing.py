"""A deduplicator that takes all empty documents for duplicates."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from xxhash import xxh3_64_intdigest

import corpusmill as mill


class KeyedNothing(mill.Deduplicator):
    """Same text."""

    def sketch(self, batch: pa.RecordBatch) -> mill.Sketch:
        texts = [text or "" for text in self.texts(batch).to_pylist()]
        keys = np.array([xxh3_64_intdigest(text.encode()) for text in texts], np.uint64)
        return mill.Sketch(keys, np.arange(len(texts), dtype=np.int64))


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.dedup("keyed-nothing", KeyedNothing, "Broken on purpose.")
