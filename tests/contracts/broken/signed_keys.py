"""A deduplicator with signed keys."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

import corpusmill as mill


class SignedKeys(mill.Deduplicator):
    """Same length."""

    def sketch(self, batch: pa.RecordBatch) -> mill.Sketch:
        lengths = np.array([len(text or "") for text in self.texts(batch).to_pylist()], np.int64)
        return mill.Sketch(lengths, np.arange(len(lengths)))


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.dedup("signed-keys", SignedKeys, "Broken on purpose.")
