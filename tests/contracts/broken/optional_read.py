"""An annotator that uses the column `label` where there is one, and does not say so."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

import corpusmill as mill


class OptionalRead(mill.Annotator):
    """Names the class."""

    def adds(self) -> dict[str, pa.DataType]:
        return {"class": pa.large_string()}

    def annotate(self, batch: pa.RecordBatch) -> dict[str, Any]:
        labels = batch["label"].to_pylist() if "label" in batch.schema.names else ["none"] * batch.num_rows
        return {"class": pa.array(labels, pa.large_string())}


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.annotator("optional-read", OptionalRead, "Broken on purpose.")
