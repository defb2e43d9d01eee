"""A cleaner that drops rows from the batch without a verdict."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

import corpusmill as mill


class LostRows(mill.Cleaner):
    """Drops empty documents."""

    def clean(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        return batch.filter(pc.greater(pc.utf8_length(self.texts(batch)).fill_null(0), 0))


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.cleaner("lost-rows", LostRows, "Broken on purpose.")
