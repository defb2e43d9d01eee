"""A filter that reads a column that it does not declare and that no reader makes."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

import corpusmill as mill


class MissingColumn(mill.Filter):
    """Keeps English."""

    def measure(self, batch: pa.RecordBatch) -> dict[str, Any]:
        return {"english": [float(code == "en") for code in batch["language"].to_pylist()]}

    def rules(self) -> list[mill.Rule]:
        return [mill.at_least("english", 1)]


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.filter("missing-column", MissingColumn, "Broken on purpose.")
