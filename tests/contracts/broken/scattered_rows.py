"""An augmenter that puts all copies behind all originals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

import corpusmill as mill


class ScatteredRows(mill.Augmenter):
    """Doubles every document."""

    def augment(self, batch: pa.RecordBatch) -> mill.Augmented:
        rows = np.arange(batch.num_rows)
        parent = np.concatenate([rows, rows]).astype(np.int64)
        return mill.Augmented(batch.take(pa.array(parent)), parent, [None] * len(rows) + ["doubled"] * len(rows))


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.augmenter("scattered-rows", ScatteredRows, "Broken on purpose.")
