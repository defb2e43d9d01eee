"""A filter that takes every text for a string."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

import corpusmill as mill


class NullText(mill.Filter):
    """Keeps texts of some length."""

    def measure(self, batch: pa.RecordBatch) -> dict[str, Any]:
        return {"length": [len(text) for text in self.texts(batch).to_pylist()]}

    def rules(self) -> list[mill.Rule]:
        return [mill.at_least("length", 3)]


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.filter("null-text", NullText, "Broken on purpose.")
