"""A filter that compares each document with the mean of its batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

import corpusmill as mill


class BatchMean(mill.Filter):
    """Keeps documents that are not much longer than the others."""

    def measure(self, batch: pa.RecordBatch) -> dict[str, Any]:
        lengths = np.asarray(pc.utf8_length(self.texts(batch)).fill_null(0), np.float64)
        return {"longer": lengths - (lengths.mean() if len(lengths) else 0)}

    def rules(self) -> list[mill.Rule]:
        return [mill.at_most("longer", 1000)]


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.filter("batch-mean", BatchMean, "Broken on purpose.")
