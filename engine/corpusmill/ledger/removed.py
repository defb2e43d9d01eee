"""The ledger of one shard: each removed row with its place, step, rule, value and threshold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

SCHEMA = pa.schema(
    [
        ("row", pa.int64()),
        ("id", pa.string()),
        ("file", pa.large_string()),
        ("offset", pa.int64()),
        ("step", pa.int16()),
        ("rule", pa.string()),
        ("value", pa.float64()),
        ("threshold", pa.float64()),
        ("detail", pa.string()),
        ("other", pa.string()),
    ]
)
"""`row`: input row of the shard. `step`: position of the step in its stage. `other`: id of the kept duplicate."""


class Ledger:
    """Collects removed rows batch by batch; the table comes out in input order, whatever the batches were."""

    def __init__(self) -> None:
        self._batches: list[pa.Table] = []

    def add(
        self,
        batch: pa.RecordBatch,
        rows: npt.NDArray[np.int64],
        step: int,
        rule: Sequence[str],
        value: npt.NDArray[np.float64],
        threshold: npt.NDArray[np.float64],
        detail: Sequence[str | None] | None = None,
        other: Sequence[str | None] | None = None,
    ) -> None:
        """Record that all rows of `batch` were removed by `step`; each sequence has one entry a row."""
        count = batch.num_rows
        if not count:
            return
        columns: dict[str, Any] = {
            "row": pa.array(rows),
            "id": _column(batch, "id", pa.string()),
            "file": _column(batch, "file", pa.large_string()),
            "offset": _column(batch, "offset", pa.int64()),
            "step": pa.array(np.full(count, step, np.int16)),
            "rule": pa.array(rule, pa.string()),
            "value": pa.array(value, mask=np.isnan(value)),
            "threshold": pa.array(threshold, mask=np.isnan(threshold)),
            "detail": pa.array(detail, pa.string()) if detail is not None else pa.nulls(count, pa.string()),
            "other": pa.array(other, pa.string()) if other is not None else pa.nulls(count, pa.string()),
        }
        self._batches.append(pa.table(columns, schema=SCHEMA))

    def table(self) -> pa.Table:
        """Return all rows sorted by input row."""
        if not self._batches:
            return SCHEMA.empty_table()
        table = pa.concat_tables(self._batches)
        order = np.lexsort((table["step"].to_numpy(), table["row"].to_numpy()))
        return table.take(pa.array(order))


def _column(batch: pa.RecordBatch, name: str, kind: pa.DataType) -> pa.Array:
    index = batch.schema.get_field_index(name)
    return pa.nulls(batch.num_rows, kind) if index < 0 else batch.column(index).cast(kind)
