"""The unit of a pass: one shard through a chain of operators into a part, a ledger, a quarantine, a record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.dataset.part import PartWriter, write_table
from corpusmill.dataset.schema import SPLIT, conform
from corpusmill.errors import CorruptFile
from corpusmill.ledger.quarantine import DOCUMENTS, READER, as_documents
from corpusmill.runner.breadcrumb import COMMIT, READ, Breadcrumb
from corpusmill.runner.chain import Chain
from corpusmill.runner.chunk import Chunk, gathered, numbered
from corpusmill.runner.concealed import concealed_counts, concealed_signals, concealed_table
from corpusmill.runner.deadline import deadline, patient
from corpusmill.runner.isolation import Isolation
from corpusmill.runner.pool import pool_calls
from corpusmill.runner.sources import damaged_files, file_batches, limited, part_batches
from corpusmill.runner.unit import Done
from corpusmill.runner.workspace import Workspace

GATHERED = 1 << 20
"""Bytes up to which the small batches of neighbouring files go through the chain together."""
_EXPANSION = ("max_expansion", "max_expanded_bytes")
"""Limits that keep out whole files, and are in no key."""


def run_pass(payload: Mapping[str, Any], workspace: Workspace, key: str) -> Done:
    """Run one shard and commit it; returns its record.

    A damaged file restarts the shard without it: no row of a damaged file is ever taken. Where damage must fail the
    run (`on_corrupt_file: fail`) nothing is committed and the record lists what is damaged.
    """
    crumb = Breadcrumb(workspace.crumb_path(key))
    damaged: list[list[Any]] = []
    too_far: list[str] = []
    while True:
        attempt = _Attempt(payload, workspace, crumb, [name for name, *_ in damaged])
        try:
            record = attempt.run()
            break
        except CorruptFile as error:
            attempt.abandon()
            for one in (error, *attempt.more_damage(error)):
                damaged.append([one.name, one.reason, one.offset])
                too_far += [one.name] if one.limit is not None else []
        except BaseException:
            attempt.abandon()
            raise
    record["damaged"] = damaged
    if too_far:
        limits = payload["source"]["limits"]
        # Whole files that limits keep out: under others this record is not used, so that they are read then.
        record["kept_out"] = {"files": too_far, "limits": {name: limits[name] for name in _EXPANSION}}
    if not (damaged and payload["on_corrupt_file"] == "fail"):
        crumb.put(COMMIT)
        exact = all(operator.exact for operator in attempt.operators)
        record = workspace.store.commit(key, record, exact=exact, operators=", ".join(attempt.names))
    crumb.remove()
    return Done(record, [counts.seconds for counts in attempt.chain.counts])


class _Attempt:
    """One go at a shard: everything that must be thrown away when it fails."""

    def __init__(self, payload: Mapping[str, Any], workspace: Workspace, crumb: Breadcrumb, skip: list[str]):
        self._payload, self._workspace, self._crumb = payload, workspace, crumb
        self._source = {**payload["source"], "skip": skip}
        recipes = payload["operators"]
        self.names = [recipe["uses"] for recipe in recipes]
        # A model that a pool holds is loaded there alone.
        pooled = workspace.pools or {}
        self.operators = [
            workspace.declared(recipe) if step in pooled else workspace.operator(recipe)
            for step, recipe in enumerate(recipes)
        ]
        self._from_files = payload["source"]["kind"] == "files"
        first = 1 if self._from_files else 0
        self._schemas = [_schema(text) for text in payload["schemas"]]
        row_operators = self.operators[first:]
        self.chain = Chain(
            row_operators,
            self.names,
            first_step=first,
            deadlines=payload["deadlines"],
            on_removed=self._take_removed if payload["removed"] else None,
            calls=pool_calls(workspace.pools, row_operators, first, payload["deadlines"]),
        )
        self.chain.guard.crumb = crumb
        self.chain.guard.before = Isolation.of(payload, workspace, recipes, crumb)
        self._writers = {step: PartWriter(workspace.store, _schema(text)) for step, text in payload["removed"].items()}
        self._main = PartWriter(workspace.store, self._schemas[-1])
        self._splits: dict[str, int] = {}

    def run(self) -> dict[str, Any]:
        """Write all rows and publish the files; nothing is committed here."""
        self._crumb.put(READ)
        most = self._payload["batch_bytes"]
        chunks = numbered(gathered(self._batches(), min(most, GATHERED)), most)
        for chunk in self.chain.run(self._attended(chunks) if self._from_files else chunks):
            batch = conform(chunk.batch, self._schemas[-1])
            self._count(batch)
            self._main.write(batch)
        self._crumb.put(COMMIT)
        for step, counts in enumerate(self.chain.counts):
            counts.check(self.names[step])
        store, secrets = self._workspace.store, self._workspace.secrets
        ledger = concealed_table(self.chain.ledger.table(), ("rule", "detail"), secrets)
        quarantine = concealed_table(self.chain.quarantine.table(), ("reason", "detail"), secrets)
        return {
            "part": self._main.finish().to_json(),
            "removed": {step: writer.finish().to_json() for step, writer in self._writers.items()},
            "ledger": write_table(store, ledger).to_json() if ledger.num_rows else None,
            "quarantine": write_table(store, quarantine).to_json() if quarantine.num_rows else None,
            "signals": {
                str(step): concealed_signals(one.to_json(), secrets) for step, one in sorted(self.chain.signals.items())
            },
            "values": self._values(),
            "turned_away": self._turned_away(quarantine) if self._payload["turned_away"] else None,
            "counts": [concealed_counts(counts.to_json(), secrets) for counts in self.chain.counts],
            "splits": dict(sorted(self._splits.items())),
            "bytes": self._main.value_bytes,
        }

    def _values(self) -> dict[str, list[Any]]:
        """Publish the measured values of the steps that keep them."""
        tables = {str(step): one.table() for step, one in sorted(self.chain.signals.items())}
        return {
            step: write_table(self._workspace.store, table).to_json()
            for step, table in tables.items()
            if table is not None
        }

    def _turned_away(self, quarantine: pa.Table) -> list[Any]:
        """Publish what the reader rejected as documents."""
        writer = PartWriter(self._workspace.store, DOCUMENTS)
        own = quarantine.filter(pc.equal(quarantine["step"], READER))
        for batch in as_documents(own).to_batches():
            writer.write(batch)
        return writer.finish().to_json()

    def more_damage(self, first: CorruptFile) -> list[CorruptFile]:
        """Look at the shard's other files once one is damaged: one more reading, not one for each damaged file."""
        if self._payload["limit"] is not None or len(self._source["ranges"]) < 3:
            return []
        source = {**self._source, "skip": [*self._source["skip"], first.name]}
        return list(damaged_files(self.operators[0], source))

    def abandon(self) -> None:
        """Remove what was built."""
        for writer in (self._main, *self._writers.values()):
            writer.abandon()

    def _batches(self) -> Iterator[pa.RecordBatch]:
        limit = self._payload["limit"]
        if self._from_files:
            counts, quarantine = self.chain.counts[0], self.chain.quarantine
            return file_batches(self.operators[0], self._source, self._schemas[0], counts, quarantine, limit)
        return limited(part_batches(self._workspace.store, self._source, self._schemas[0]), limit)

    def _attended(self, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
        """Yield what the reader reads, saying so meanwhile; a reader that hangs is ended, too."""
        while True:
            self._crumb.put(READ, 0)
            with deadline(patient(self._payload["deadlines"][0])):
                chunk = next(chunks, None)
            self._crumb.put(READ)
            if chunk is None:
                return
            yield chunk

    def _take_removed(self, step: int, batch: pa.RecordBatch) -> None:
        writer = self._writers.get(str(step))
        if writer is not None:
            writer.write(conform(batch, writer.schema))

    def _count(self, batch: pa.RecordBatch) -> None:
        index = batch.schema.get_field_index(SPLIT)
        if index >= 0:
            for label in batch.column(index).value_counts().to_pylist():
                name = label["values"]
                if name is not None:
                    self._splits[name] = self._splits.get(name, 0) + label["counts"]


def _schema(text: str) -> pa.Schema:
    return pa.ipc.read_schema(pa.py_buffer(bytes.fromhex(text)))
