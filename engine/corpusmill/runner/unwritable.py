"""Documents that a writer raises on, dies of or hangs at: found by writing them alone, left out, in quarantine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from corpusmill.dataset.part import write_table
from corpusmill.dataset.store import FileRef
from corpusmill.ledger.counts import StepCounts
from corpusmill.ledger.quarantine import KEPT, Quarantine
from corpusmill.plugin.local import home_of
from corpusmill.runner.applied import apply_write
from corpusmill.runner.breadcrumb import Breadcrumb
from corpusmill.runner.chunk import Chunk, numbered
from corpusmill.runner.concealed import concealed_counts, concealed_table
from corpusmill.runner.guard import Guard
from corpusmill.runner.isolation import Isolation, Trial, expect_alive
from corpusmill.runner.whole_call import WholeCalls
from corpusmill.runner.workspace import Workspace

_MOST_BYTES = 1 << 20
"""Text of one call: a deadline is of a call, and the slowest codecs do some hundred kilobytes in a second."""


class Unwritable:
    """The documents of one file of an export that its writer cannot write.

    A file is written in one call, which says nothing of documents. So its rows are written once more, some at a time
    and into files of their own, by the guard that also calls the operators of a pass. Numbers of rows count those of
    the file, in order. What was found is committed under the key of the file, before that is written without them.
    """

    def __init__(self, payload: Mapping[str, Any], workspace: Workspace, key: str, crumb: Breadcrumb):
        self._payload, self._workspace, self._key, self._crumb = payload, workspace, key, crumb
        self._known = self._recorded()
        self.searched = False

    @property
    def rows(self) -> list[int]:
        """Numbers of the rows to leave out, ascending."""
        return list(self._known.get("rows", ()))

    @property
    def failed(self) -> dict[str, int]:
        """Why, and how often."""
        return dict(self._known.get("failed", {}))

    def find(self, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
        """Write the rows of the file apart, and commit which of them cannot be.

        Raises OperatorError for a writer that fails on a file without rows, or on one row after the other.
        """
        self.searched = True
        recipe = self._payload["operator"]
        writer, found = self._workspace.operator(recipe), _Found()
        self._expect_sound(recipe, writer, schema)
        guard = Guard(
            [recipe["uses"]],
            found.reject,
            self._crumb,
            self._payload["deadlines"],
            before=Isolation.of(self._payload, self._workspace, [recipe], self._crumb, wide=True),
            steps=[recipe["step"]],
            homes=[home_of(type(writer))],
        )
        for chunk in numbered(batches, _MOST_BYTES):
            for _ in guard.call(0, chunk, partial(apply_write, writer)):
                pass
        self._record(found)

    def _expect_sound(self, recipe: Mapping[str, Any], writer: Any, schema: pa.Schema) -> None:
        """Let the writer write no row at all: where it cannot do that, none is to blame, few as they may be."""
        nothing = Chunk(pa.RecordBatch.from_pylist([], schema=schema), np.empty(0, np.int64))
        (seconds,) = self._payload["deadlines"]
        if self._payload.get("suspects"):
            expect_alive(Trial(self._workspace.settings), recipe, nothing, seconds, home_of(type(writer)))
        WholeCalls(recipe, self._crumb, seconds)(apply_write, writer, nothing)

    def _recorded(self) -> dict[str, Any]:
        """Return what an earlier attempt, or an earlier run, found; nothing where some of it is gone."""
        known = self._workspace.store.committed(self._key)
        whole = known is not None and self._workspace.store.has_files([FileRef.from_json(known["quarantine"])])
        return known if whole and known is not None else {}

    def _record(self, found: _Found) -> None:
        store, secrets = self._workspace.store, self._workspace.secrets
        record: dict[str, Any] = {}
        if found.rows:
            table = concealed_table(found.quarantine.table(), ("reason", "detail"), secrets)
            failed = concealed_counts(found.counts.to_json(), secrets)["quarantined"]
            record = {
                "quarantine": write_table(store, table).to_json(),
                "failed": dict(sorted(failed.items())),
                "rows": sorted(found.rows),
            }
        if record != self._known:
            # What was found first was not all: the worker died, or the writer raised, without those rows.
            store.forget(self._key)
            if record:
                store.commit(self._key, record, operators=self._payload["operator"]["uses"])
        self._known = record


class _Found:
    """Takes what the guard rejects."""

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.quarantine, self.counts = Quarantine(), StepCounts()

    def reject(self, step: int, row: Chunk, reason: str, detail: str) -> None:
        self.rows.append(int(row.rows[0]))
        self.counts.quarantine(reason)
        (document,) = row.batch.select([name for name in KEPT if name in row.batch.schema.names]).to_pylist()
        self.quarantine.add_document(document, reason=reason, detail=detail, step=step)
