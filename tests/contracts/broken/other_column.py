"""A cleaner that also changes the column `source`."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

import corpusmill as mill


class OtherColumn(mill.Cleaner):
    """Trims texts."""

    def clean(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        names = batch.schema.names
        batch = batch.set_column(names.index("text"), "text", pc.utf8_trim_whitespace(self.texts(batch)))
        return batch.set_column(names.index("source"), "source", pc.utf8_upper(batch["source"]))

    def reads(self) -> tuple[str, ...]:
        return ("text", "source")


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.cleaner("other-column", OtherColumn, "Broken on purpose.")
