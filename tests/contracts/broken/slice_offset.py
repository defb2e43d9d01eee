"""An annotator that reads the text's offsets from the start of the buffer, not of the slice."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

import corpusmill as mill


class SliceOffset(mill.Annotator):
    """Counts bytes."""

    def adds(self) -> dict[str, pa.DataType]:
        return {"bytes": pa.int64()}

    def annotate(self, batch: pa.RecordBatch) -> dict[str, Any]:
        offsets = np.frombuffer(self.texts(batch).buffers()[1], np.int64)[: batch.num_rows + 1]
        return {"bytes": pa.array(np.diff(offsets), pa.int64())}


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.annotator("slice-offset", SliceOffset, "Broken on purpose.")
