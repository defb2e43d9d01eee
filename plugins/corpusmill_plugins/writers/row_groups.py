"""Rows cut into groups of bounded size at places that depend on the rows alone, not on how they arrive."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa


def row_groups(batches: Iterable[pa.RecordBatch], most_bytes: int, most_rows: int) -> Iterator[pa.Table]:
    """Yield tables of one chunk a column; each ends with the row that brings it to `most_bytes` of text or `most_rows`.

    Bytes are those of strings, binaries and lists of them at the top level, so numbers cost nothing.
    """
    import numpy as np

    pieces: list[pa.RecordBatch] = []
    rows, size = 0, 0
    for batch in batches:
        sizes = np.cumsum(row_bytes(batch))
        start, before = 0, 0
        while start < len(batch):
            # The first row that fills the group is its last one.
            by_bytes = int(np.searchsorted(sizes, before + most_bytes - size, side="left")) + 1
            stop = min(len(batch), by_bytes, start + most_rows - rows)
            pieces.append(batch.slice(start, stop - start))
            size += int(sizes[stop - 1]) - before
            rows += stop - start
            start, before = stop, int(sizes[stop - 1])
            if rows >= most_rows or size >= most_bytes:
                yield _table(pieces)
                pieces, rows, size = [], 0, 0
    if pieces:
        yield _table(pieces)


def row_bytes(batch: pa.RecordBatch) -> npt.NDArray[np.int64]:
    """Return int64 (rows,): bytes of the top-level strings and binaries of each row."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    total = np.zeros(len(batch), np.int64)
    for column in batch.columns:
        if (
            pa.types.is_large_string(column.type)
            or pa.types.is_string(column.type)
            or pa.types.is_large_binary(column.type)
        ):
            total += np.asarray(pc.fill_null(pc.binary_length(column), 0), np.int64)
    return total


def _table(pieces: list[pa.RecordBatch]) -> pa.Table:
    import pyarrow as pa

    return pa.Table.from_batches(pieces).combine_chunks()
