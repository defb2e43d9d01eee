"""Id, file and offset of documents, by their rows in a part or in a dataset."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpusmill.dataset.part import Part, read_part
from corpusmill.dataset.store import Store

_COLUMNS = {"id": pa.string(), "file": pa.large_string(), "offset": pa.int64()}


def ids_of(store: Store, parts: Sequence[Part], bases: Sequence[int], rows: npt.NDArray[np.int64]) -> dict[int, str]:
    """Return the document id of each of these rows of the dataset, int64 ascending; part `i` begins at `bases[i]`."""
    ids: dict[int, str] = {}
    for part, base in zip(parts, bases, strict=True):
        start, stop = np.searchsorted(rows, [base, base + part.rows])
        if start == stop:
            continue
        local = rows[start:stop]
        column = rows_of(store, part, local - base).column("id").to_pylist()
        ids.update(zip(local.tolist(), column, strict=True))
    return ids


def rows_of(store: Store, part: Part, rows: npt.NDArray[np.int64]) -> pa.RecordBatch:
    """Return id, file and offset of some rows of a part, int64 ascending, in order."""
    taken, first = [], 0
    for batch in read_part(store, part.file, list(_COLUMNS)):
        start, stop = np.searchsorted(rows, [first, first + batch.num_rows])
        if start < stop:
            taken.append(batch.take(pa.array(rows[start:stop] - first)))
        first += batch.num_rows
    return pa.concat_batches(taken) if taken else pa.RecordBatch.from_pylist([], schema=pa.schema(_COLUMNS.items()))
