"""A filter that reads the column `source` and does not say so."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

import corpusmill as mill


class UndeclaredRead(mill.Filter):
    """Keeps pages of one host."""

    def measure(self, batch: pa.RecordBatch) -> dict[str, Any]:
        return {"secure": [float(source.startswith("https")) for source in batch["source"].to_pylist()]}

    def rules(self) -> list[mill.Rule]:
        return [mill.at_least("secure", 1)]


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.filter("undeclared-read", UndeclaredRead, "Broken on purpose.")
