"""An annotator that looks at the row before, and only says something after a null."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

import corpusmill as mill


class AfterNull(mill.Annotator):
    """Marks documents behind a missing one."""

    def adds(self) -> dict[str, pa.DataType]:
        return {"behind": pa.bool_()}

    def annotate(self, batch: pa.RecordBatch) -> dict[str, Any]:
        texts = self.texts(batch).to_pylist()
        pairs = zip(["", *texts], texts, strict=False)
        return {"behind": pa.array([before is None and bool(text) for before, text in pairs], pa.bool_())}


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.annotator("after-null", AfterNull, "Broken on purpose.")
