"""An annotator that declares whole numbers and makes fractions."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

import corpusmill as mill


class WrongType(mill.Annotator):
    """Counts."""

    def adds(self) -> dict[str, pa.DataType]:
        return {"length": pa.int64()}

    def annotate(self, batch: pa.RecordBatch) -> dict[str, Any]:
        return {"length": pa.array([float(len(text or "")) for text in self.texts(batch).to_pylist()], pa.float64())}


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.annotator("wrong-type", WrongType, "Broken on purpose.")
