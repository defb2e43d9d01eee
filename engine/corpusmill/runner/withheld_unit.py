"""Taking the documents that a deduplicator fails on out of one part's selection, into quarantine as they stood."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpusmill.dataset.part import Part, read_part, read_table, write_table
from corpusmill.dataset.selection import Selection, read_selection, write_selection
from corpusmill.dataset.store import FileRef, Store
from corpusmill.ledger.quarantine import KEPT, Quarantine
from corpusmill.runner.dedup_units import split_counts
from corpusmill.runner.workspace import Workspace


def run_withhold(payload: Mapping[str, Any], workspace: Workspace, key: str) -> dict[str, Any]:
    """Leave the refused rows that are selected out of the selection, and quarantine them; `rows` says how many.

    The sketch of a part is of all its rows: a refused one that is not selected anyway is no loss of this step's.
    """
    store, part, before = workspace.store, Part.from_json(payload["part"]), Selection.from_json(payload["selection"])
    refused = _distinct([read_table(store, FileRef.from_json(one)) for one in payload["refused"]])
    mask = np.ones(part.rows, bool) if before is None else read_selection(store, before).copy()
    refused = refused.filter(pa.array(mask[refused["row"].to_numpy()]))
    if not refused.num_rows:
        return store.commit(key, {"rows": 0})
    rows = refused["row"].to_numpy().astype(np.int64)
    mask[rows] = False
    record = {
        "rows": len(rows),
        "selection": write_selection(store, mask).to_json(),
        "quarantine": write_table(store, quarantined(store, part, rows, refused.to_pylist())).to_json(),
        "reasons": dict(sorted(Counter(refused["reason"].to_pylist()).items())),
        "splits": split_counts(workspace, part, mask),
    }
    return store.commit(key, record)


def _distinct(refused: Sequence[pa.Table]) -> pa.Table:
    """Return each row once, in order; of two reasons for the same row the first by alphabet."""
    if len(refused) == 1:
        return refused[0]
    told = sorted(pa.concat_tables(refused).to_pylist(), key=lambda one: (one["row"], one["reason"], one["detail"]))
    once = {one["row"]: one for one in reversed(told)}
    return pa.Table.from_pylist([once[row] for row in sorted(once)], schema=refused[0].schema)


def quarantined(store: Store, part: Part, rows: npt.NDArray[np.int64], told: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return some rows of a part, int64 in order, as they stand in quarantine; `told`: reason and detail of each."""
    quarantine, first = Quarantine(), 0
    with pa.memory_map(str(store.path(part.file))) as source:
        known = pa.ipc.open_file(source).schema.names
    for batch in read_part(store, part.file, [name for name in KEPT if name in known]):
        start, stop = np.searchsorted(rows, [first, first + batch.num_rows])
        taken = batch.take(pa.array(rows[start:stop] - first)).to_pylist() if start < stop else []
        first += batch.num_rows
        for row, one in zip(taken, told[start:stop], strict=True):
            quarantine.add_document(row, reason=one["reason"], detail=one["detail"], step=0)
    return quarantine.table()
