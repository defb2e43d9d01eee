"""An annotator that declares a column that is the engine's."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

import corpusmill as mill


class EngineColumn(mill.Annotator):
    """Counts."""

    def adds(self) -> dict[str, pa.DataType]:
        return {"offset": pa.int64()}

    def annotate(self, batch: pa.RecordBatch) -> dict[str, Any]:
        return {"offset": pa.array([len(text or "") for text in self.texts(batch).to_pylist()], pa.int64())}


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.annotator("engine-column", EngineColumn, "Broken on purpose.")
