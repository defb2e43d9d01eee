"""Ids that come from a column: unique over the whole input, later documents of the same id go to quarantine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from corpusmill.dataset.part import Part, PartWriter, read_part, read_table, write_table
from corpusmill.dataset.selection import write_selection
from corpusmill.dataset.store import FileRef
from corpusmill.ledger.quarantine import DOCUMENTS, RAW_BYTES, Quarantine, as_documents
from corpusmill.plugin.dedup_kind import Sketch

if TYPE_CHECKING:
    from corpusmill.runner.workspace import Workspace

UNIQUE_IDS = "engine.unique-ids"
"""Stands for an operator's name in recipes: sketches, joins and components are those of deduplicators."""
VERSION = 1
REASON = "duplicate-id"
_COLUMNS = ("id", "file", "offset", "text")


class UniqueIds:
    """Links documents of one id, by the 128-bit hash of it; the first in input order stays. A null is no id."""

    verifies = False
    reason = REASON
    columns = ("id",)

    def sketch(self, batch: pa.RecordBatch) -> Sketch:
        """Return one 128-bit key for every id."""
        from xxhash import xxh3_128_digest

        found = [(row, one) for row, one in enumerate(batch.column("id").to_pylist()) if one is not None]
        rows = np.array([row for row, _ in found], np.int64)
        digests = b"".join(xxh3_128_digest(one.encode()) for _, one in found)
        return Sketch(np.frombuffer(digests, ">u8").astype(np.uint64).reshape(-1, 2), rows)

    def rank(self, batch: pa.RecordBatch) -> None:
        """Input order."""
        return

    def similarity(self, left: Any, right: Any) -> Any:
        """Equal keys are equal ids."""
        raise NotImplementedError

    def threshold(self) -> float:
        """Equal."""
        return 1.0


def run_repeats(payload: Mapping[str, Any], workspace: Workspace, key: str) -> dict[str, Any]:
    """Select the rows of a part that keep their ids, and quarantine the others as they stood."""
    from corpusmill.runner.dedup_units import split_counts

    store, part = workspace.store, Part.from_json(payload["part"])
    gone = read_table(store, FileRef.from_json(payload["decisions"]))["row"].to_numpy().astype(np.int64)
    mask = np.ones(part.rows, bool)
    mask[gone] = False
    table = _quarantined(workspace, part, ~mask)
    turned_away = None
    if payload["turned_away"]:
        writer = PartWriter(store, DOCUMENTS)
        for batch in as_documents(table).to_batches():
            writer.write(batch)
        turned_away = writer.finish().to_json()
    record = {
        "selection": write_selection(store, mask).to_json(),
        "quarantine": write_table(store, table).to_json(),
        "turned_away": turned_away,
        "rows": len(gone),
        "splits": split_counts(workspace, part, mask),
    }
    return store.commit(key, record)


def _quarantined(workspace: Workspace, part: Part, gone: np.ndarray) -> pa.Table:
    quarantine, first = Quarantine(), 0
    for batch in read_part(workspace.store, part.file, _COLUMNS):
        taken = batch.filter(pa.array(gone[first : first + batch.num_rows]))
        first += batch.num_rows
        for row in taken.to_pylist():
            raw = (row["text"] or "").encode()
            quarantine.add(
                file=row["file"],
                offset=row["offset"],
                id=row["id"],
                reason=REASON,
                detail="an earlier document has this id",
                raw=raw[:RAW_BYTES],
                length=len(raw),
            )
    return quarantine.table()
