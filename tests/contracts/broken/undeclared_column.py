"""An annotator that makes a column that it does not declare."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

import corpusmill as mill


class UndeclaredColumn(mill.Annotator):
    """Counts."""

    def adds(self) -> dict[str, pa.DataType]:
        return {"length": pa.int64()}

    def annotate(self, batch: pa.RecordBatch) -> dict[str, Any]:
        lengths = pa.array([len(text or "") for text in self.texts(batch).to_pylist()], pa.int64())
        return {"length": lengths, "size": lengths}


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.annotator("undeclared-column", UndeclaredColumn, "Broken on purpose.")
