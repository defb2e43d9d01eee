"""Bad records of a run: what its quarantine holds, counted by step and reason, with places and bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from corpusmill.errors import UsageError, nearest
from corpusmill.ledger.quarantine import READER
from corpusmill.runner.records import RunRecord
from corpusmill.runner.search import quarantine_tables

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class BadRecord:
    """One record in quarantine: its place in the input, why it is there, and its first bytes as they stood.

    `offset` and `length` count bytes (of the decompressed stream); `raw` holds at most 4,096 of `length`. `id` is
    None for what no document was made of.
    """

    step: str
    reason: str
    file: str
    offset: int
    length: int
    id: str | None
    detail: str
    raw: bytes


@dataclass(frozen=True)
class BadReason:
    """All records of one step and reason: how many, and the first of them in input order.

    `again`: whether `corpusmill retry RUN` tries them again; what a reader turned away depends on the bytes.
    """

    step: str
    reason: str
    rows: int
    again: bool
    records: tuple[BadRecord, ...]


@dataclass(frozen=True)
class BadRecords:
    """The quarantine of a run: reasons, the most frequent first, and the damaged files, of which no row was taken."""

    reasons: tuple[BadReason, ...]
    damaged: tuple[Mapping[str, Any], ...]

    @property
    def rows(self) -> int:
        """All records in quarantine."""
        return sum(one.rows for one in self.reasons)


def collect_bad_records(record: RunRecord, step: str | None = None, limit: int = 10) -> BadRecords:
    """Return what is in a run's quarantine (of one step), with at most `limit` records of each step and reason.

    Raises UsageError for a step that the run does not have and for a run that has not ended.
    """
    record.expect_ended()
    _expect_step(record, step)
    found: dict[tuple[str, str], BadReason] = {}
    for steps, table in quarantine_tables(record):
        for place, reason, rows in _groups(table):
            name = _name(steps, place)
            if step not in (None, name):
                continue
            known = found.get((name, reason)) or BadReason(name, reason, 0, place != READER, ())
            more = _records(table, name, place, reason, limit - len(known.records))
            found[name, reason] = replace(known, rows=known.rows + rows, records=(*known.records, *more))
    ordered = sorted(found.values(), key=lambda one: (-one.rows, one.step, one.reason))
    damaged = [one for one in record.outputs.get("damaged") or () if step in (None, one.get("step"))]
    return BadRecords(tuple(ordered), tuple(damaged))


def iterate_bad_records(record: RunRecord, step: str | None = None) -> Iterator[BadRecord]:
    """Yield all records in a run's quarantine (of one step), one shard in memory at a time, in input order."""
    record.expect_ended()
    _expect_step(record, step)
    for steps, table in quarantine_tables(record):
        for row in table.to_pylist():
            name = _name(steps, row["step"])
            if step in (None, name):
                yield _record(name, row)


def _groups(table: pa.Table) -> list[tuple[int, str, int]]:
    counted = table.select(["step", "reason"]).group_by(["step", "reason"]).aggregate([([], "count_all")])
    return [(row["step"], row["reason"], row["count_all"]) for row in counted.to_pylist()]


def _records(table: pa.Table, name: str, place: int, reason: str, limit: int) -> list[BadRecord]:
    import pyarrow.compute as pc

    if limit <= 0:
        return []
    own = pc.and_(pc.equal(table["step"], place), pc.equal(table["reason"], reason))
    return [_record(name, row) for row in table.filter(own).slice(0, limit).to_pylist()]


def _record(name: str, row: Mapping[str, Any]) -> BadRecord:
    return BadRecord(
        step=name,
        reason=row["reason"],
        file=row["file"] or "",
        offset=row["offset"] or 0,
        length=row["length"] or 0,
        id=row["id"],
        detail=row["detail"] or "",
        raw=row["raw"] or b"",
    )


def _name(steps: Sequence[str], place: int) -> str:
    """Return the step's id: a row says its position in the stage, and the reader's is told apart."""
    return steps[min(max(place, 0), len(steps) - 1)]


def _expect_step(record: RunRecord, step: str | None) -> None:
    known = [str(one["id"]) for stage in record.plan.get("stages", []) for one in stage["steps"]]
    if step is None or step in known:
        return
    close = nearest(step, known)
    raise UsageError(
        f"run {record.name!r} has no step {step!r}",
        where=str(record.folder),
        expected="one of " + ", ".join(known),
        hint=f"did you mean {close!r}?" if close else f"corpusmill status {record.name}{record.place}",
    )
