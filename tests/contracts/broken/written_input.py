"""An annotator that writes into its input's buffers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

import corpusmill as mill


class WrittenInput(mill.Annotator):
    """Numbers the rows from one."""

    def reads(self) -> tuple[str, ...]:
        return ("offset",)

    def adds(self) -> dict[str, pa.DataType]:
        return {"place": pa.int64()}

    def annotate(self, batch: pa.RecordBatch) -> dict[str, Any]:
        column = batch["offset"]
        place = column.to_numpy() % 1000
        buffer = column.buffers()[1]
        if buffer is not None and buffer.is_mutable:
            np.frombuffer(buffer, np.int64)[column.offset : column.offset + len(column)] %= 1000
        return {"place": pa.array(place, pa.int64())}


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.annotator("written-input", WrittenInput, "Broken on purpose.")
