"""An annotator that asks an empty batch for its first row."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

import corpusmill as mill


class FirstRow(mill.Annotator):
    """Says how long a text is."""

    def adds(self) -> dict[str, pa.DataType]:
        return {"length": pa.int64()}

    def annotate(self, batch: pa.RecordBatch) -> dict[str, Any]:
        texts = [text or "" for text in self.texts(batch).to_pylist()]
        kind = type(len(texts[0]))
        return {"length": pa.array([kind(len(text)) for text in texts], pa.int64())}


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.annotator("first-row", FirstRow, "Broken on purpose.")
