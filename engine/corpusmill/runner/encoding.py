"""Encoding the documents of a part: those a tokenizer raises on or dies of are left out, in quarantine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, cast

import pyarrow as pa

from corpusmill.dataset.manifest import Entry, entry_batches
from corpusmill.dataset.part import Part, write_table
from corpusmill.dataset.selection import Selection
from corpusmill.ledger.counts import StepCounts
from corpusmill.ledger.quarantine import KEPT, Quarantine
from corpusmill.runner.applied import Encoded, apply_encode
from corpusmill.runner.breadcrumb import READ, Breadcrumb
from corpusmill.runner.chunk import Chunk, numbered
from corpusmill.runner.concealed import concealed_counts, concealed_table
from corpusmill.runner.encoder import Encoder
from corpusmill.runner.guard import Guard
from corpusmill.runner.isolation import Isolation
from corpusmill.runner.workspace import Workspace

_MOST_BYTES = 1 << 20
"""Text of one call: a deadline is of a call, and the slowest tokenizers do some ten kilobytes in a second."""


class Encoding:
    """Encodes the selected documents of a part, guarded as the operators of a pass are."""

    def __init__(self, payload: Mapping[str, Any], workspace: Workspace, crumb: Breadcrumb):
        recipe = payload["encoder"]
        self._payload, self._workspace, self._crumb = payload, workspace, crumb
        self._encoder: Encoder = workspace.operator(recipe)
        self._quarantine, self._counts = Quarantine(), StepCounts()
        self._guard = Guard(
            [recipe["uses"]],
            self._reject,
            crumb,
            payload["deadlines"],
            before=Isolation.of(payload, workspace, [recipe], crumb),
            steps=[recipe["step"]],
        )

    def table(self) -> pa.Table:
        """Return the tokens of all documents that have some, in order."""
        tables = list(self._tables())
        return pa.concat_tables(tables) if tables else self._encoder.schema.empty_table()

    def left_out(self) -> dict[str, Any]:
        """Return what the unit's record says of documents without tokens: nothing where there are none."""
        if not self._counts.quarantined:
            return {}
        secrets = self._workspace.secrets
        table = concealed_table(self._quarantine.table(), ("reason", "detail"), secrets)
        failed = concealed_counts(self._counts.to_json(), secrets)["quarantined"]
        file = write_table(self._workspace.store, table)
        return {"quarantine": file.to_json(), "failed": dict(sorted(failed.items()))}

    def _tables(self) -> Iterator[pa.Table]:
        self._crumb.put(READ)
        entry = Entry(Part.from_json(self._payload["part"]), Selection.from_json(self._payload["selection"]))
        batches = entry_batches(self._workspace.store, entry, split=self._payload["split"])
        for chunk in numbered(batches, min(self._payload["batch_bytes"], _MOST_BYTES)):
            for made in self._guard.call(0, chunk, partial(apply_encode, self._encoder)):
                yield cast("Encoded", made).table

    def _reject(self, step: int, row: Chunk, reason: str, detail: str) -> None:
        self._counts.quarantine(reason)
        (document,) = row.batch.select([name for name in KEPT if name in row.batch.schema.names]).to_pylist()
        self._quarantine.add_document(document, reason=reason, detail=detail, step=step)
