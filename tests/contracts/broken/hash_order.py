"""An annotator that joins a set, whose order depends on the process's hash seed."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

import corpusmill as mill


class HashOrder(mill.Annotator):
    """Lists the different words."""

    def adds(self) -> dict[str, pa.DataType]:
        return {"words": pa.large_string()}

    def annotate(self, batch: pa.RecordBatch) -> dict[str, Any]:
        words = [" ".join(set((text or "").split())) for text in self.texts(batch).to_pylist()]
        return {"words": pa.array(words, pa.large_string())}


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.annotator("hash-order", HashOrder, "Broken on purpose.")
