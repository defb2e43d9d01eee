"""A deduplicator with small numbers for keys."""

from __future__ import annotations

from typing import Any
from zlib import crc32

import numpy as np
import pyarrow as pa

import corpusmill as mill


class SmallKeys(mill.Deduplicator):
    """Same checksum."""

    def sketch(self, batch: pa.RecordBatch) -> mill.Sketch:
        texts = self.texts(batch).to_pylist()
        rows = np.array([row for row, text in enumerate(texts) if text], np.int64)
        return mill.Sketch(np.array([crc32(texts[row].encode()) for row in rows], np.uint64), rows)


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.dedup("small-keys", SmallKeys, "Broken on purpose.")
