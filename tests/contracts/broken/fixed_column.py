"""A filter that reads `text` whatever column the step names."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

import corpusmill as mill


class FixedColumn(mill.Filter):
    """Keeps long texts."""

    def measure(self, batch: pa.RecordBatch) -> dict[str, Any]:
        return {"length": [len(text or "") for text in batch["text"].to_pylist()]}

    def rules(self) -> list[mill.Rule]:
        return [mill.at_least("length", 3)]


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.filter("fixed-column", FixedColumn, "Broken on purpose.")
