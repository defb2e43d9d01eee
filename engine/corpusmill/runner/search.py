"""Search for one document in what a run left: the ledgers of removed rows and the datasets it made."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corpusmill.errors import StoreError
from corpusmill.runner.records import RunRecord

if TYPE_CHECKING:
    import pyarrow as pa

    from corpusmill.runner.id_index import Asked

_IN_STORE = re.compile(r"(?:^|/)(files/[^/]+/([0-9a-f]{32})(\.[a-z]+))$")
SHORTEST_PREFIX = 8
"""Hex digits of an id that must be given at least: fewer fit too many documents of a large corpus."""


@dataclass(frozen=True)
class Wanted:
    """The document asked for: by id (or the start of one), or by the place it was read from.

    `whole`: `prefix` is all of the id.
    """

    prefix: str | None = None
    file: str | None = None
    offset: int | None = None
    whole: bool = False

    def mask(self, table: pa.Table | pa.RecordBatch) -> Any:
        """Return an Arrow boolean array: True for the rows that fit."""
        import pyarrow.compute as pc

        if self.prefix is not None:
            fits = pc.equal if self.whole else pc.starts_with
            return pc.fill_null(fits(table.column("id"), self.prefix), False)
        same = pc.and_(pc.equal(table.column("file"), self.file), pc.equal(table.column("offset"), self.offset))
        return pc.fill_null(same, False)

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns the search needs."""
        return ("id",) if self.prefix is not None else ("file", "offset")

    @property
    def asked(self) -> Asked:
        """The same for the index, which says where to look."""
        from corpusmill.runner.id_index import Asked

        if self.prefix is not None:
            return Asked("id", prefix=self.prefix)
        return Asked("place", place=(str(self.file), int(self.offset or 0)))


@dataclass(frozen=True)
class Removal:
    """One row of a ledger or a quarantine, its step by name; `verdict`: removed or quarantined."""

    step: str
    id: str
    file: str | None
    offset: int | None
    rule: str
    value: float | None
    threshold: float | None
    detail: str | None
    other: str | None
    verdict: str = "removed"


def parse_document(text: str) -> list[Wanted]:
    """Return what `explain` may have been asked for: `FILE@OFFSET`, an id, or its first 8 characters or more.

    The likeliest comes first: ids that come from a column may be short, and may look like a place.
    """
    file, at, offset = text.rpartition("@")
    place = [Wanted(file=file, offset=int(offset))] if at and file and re.fullmatch(r"\d+", offset) else []
    return [*place, Wanted(prefix=text, whole=len(text) < SHORTEST_PREFIX)]


def find_removals(record: RunRecord, wanted: Wanted, limit: int = 20) -> list[Removal]:
    """Return the ledger rows of a document, at most `limit`, in the order of the run's ledgers."""
    return [_removal(record.plan, entry, row) for entry, row in _rows(record, "ledger", wanted, limit)]


def find_quarantined(record: RunRecord, wanted: Wanted, limit: int = 20) -> list[Removal]:
    """Return the quarantined records that fit, at most `limit`: those a reader rejected and those a step failed on."""
    found = []
    for entry, row in _rows(record, "quarantines", wanted, limit):
        named = {**row, "step": max(int(row["step"]), 0), "rule": row["reason"], "detail": row["detail"] or None}
        found.append(replace(_removal(record.plan, entry, named), verdict="quarantined"))
    return found


def count_duplicates(record: RunRecord, step: str, document: str) -> int:
    """Return how many documents a dedup step removed for this one."""
    import pyarrow.compute as pc

    from corpusmill.runner.id_index import Asked

    own = [entry for entry in record.outputs.get("ledger") or [] if entry.get("step") == step]
    tables = (table for _, table in _tables(record, _possible(record, own, Asked("other", prefix=document))))
    return sum(int(pc.sum(pc.equal(table.column("other"), document)).as_py() or 0) for table in tables)


def first_removal(record: RunRecord) -> Removal | None:
    """Return one removed document of a run, an example to ask about: the last stage's first, or None."""
    for entry, table in _tables(record, reversed(record.outputs.get("ledger") or [])):
        if table.num_rows:
            return _removal(record.plan, entry, table.slice(0, 1).to_pylist()[0])
    return None


def find_kept(record: RunRecord, wanted: Wanted, limit: int = 20) -> dict[str, list[dict[str, Any]]]:
    """Return step -> rows (id, file, offset) of the run's datasets in which the document stands."""
    from corpusmill.dataset.manifest import Dataset
    from corpusmill.dataset.store import Store
    from corpusmill.runner.id_index import narrowed

    store, found = Store(record.store), {}
    for step, output in record.datasets.items():
        dataset = Dataset.open(store, str(output["digest"]))
        if not set(wanted.columns) <= set(dataset.schema.names):
            continue
        if rows := _matching(narrowed(dataset, wanted.asked), wanted, limit):
            found[step] = rows
    return found


def _matching(dataset: Any, wanted: Wanted, limit: int) -> list[dict[str, Any]]:
    columns = [name for name in ("id", "file", "offset") if name in dataset.schema.names]
    rows: list[dict[str, Any]] = []
    for batch in dataset.batches(columns):
        rows += batch.filter(wanted.mask(batch)).to_pylist()
        if len(rows) >= limit:
            break
    return rows[:limit]


def _rows(
    record: RunRecord, name: str, wanted: Wanted, limit: int
) -> Iterator[tuple[Mapping[str, Any], dict[str, Any]]]:
    listed: Sequence[Mapping[str, Any]] = record.outputs.get(name) or []
    for entry, table in _tables(record, _possible(record, listed, wanted.asked)):
        for row in table.filter(wanted.mask(table)).slice(0, limit).to_pylist():
            yield entry, row
            limit -= 1
        if limit <= 0:
            return


def _possible(record: RunRecord, listed: Sequence[Mapping[str, Any]], asked: Asked) -> Sequence[Mapping[str, Any]]:
    """Return those entries of `outputs.json` whose file may hold what is asked for, in their order."""
    from corpusmill.dataset.store import FileRef, Store
    from corpusmill.runner.id_index import possible_files

    names = [_IN_STORE.search(str(entry["path"])) for entry in listed]
    files = [FileRef(name[2], 0, name[3]) for name in names if name]
    if len(files) < len(listed):
        return listed
    return [listed[place] for place in possible_files(Store(record.store), files, asked)]


def kept_values(record: RunRecord, step: str) -> Iterator[pa.Table]:
    """Yield the measured values that a step kept (`signals: keep`), shard by shard in input order."""
    listed = [one for one in record.outputs.get("values") or [] if one.get("step") == step]
    return (table for _, table in _tables(record, listed))


def ledger_tables(record: RunRecord) -> Iterator[tuple[Mapping[str, Any], pa.Table]]:
    """Yield (entry of `outputs.json`, table) of the run's ledgers of removed rows, in its order."""
    return _tables(record, record.outputs.get("ledger") or [])


def quarantine_tables(record: RunRecord) -> Iterator[tuple[list[str], pa.Table]]:
    """Yield (the stage's steps, table) of each quarantine file of a run, in input order, one at a time."""
    for entry, table in _tables(record, record.outputs.get("quarantines") or []):
        yield [str(step) for step in entry.get("steps") or [entry.get("step", "")]], table


def _tables(record: RunRecord, listed: Iterable[Mapping[str, Any]]) -> Iterator[tuple[Mapping[str, Any], pa.Table]]:
    """Yield (entry of `outputs.json`, table) of ledgers, quarantines or values, memory-mapped one at a time."""
    import pyarrow as pa

    from corpusmill.dataset.store import FileRef, Store

    store = Store(record.store)
    for entry in listed:
        # By its name in the store, so that a store may be moved or be remote.
        name = _IN_STORE.search(str(entry["path"]))
        try:
            path = store.path(FileRef(name[2], 0, name[3])) if name else Path(str(entry["path"]))
            with pa.memory_map(str(path)) as source:
                yield entry, pa.ipc.open_file(source).read_all()
        except (OSError, pa.ArrowInvalid) as error:
            raise StoreError(
                f"cannot read a ledger of run {record.name!r}: {error}",
                where=str(entry["path"]),
                hint="run the same pipeline again: what is missing is made again",
            ) from error


def _removal(plan: Mapping[str, Any], entry: Mapping[str, Any], row: Mapping[str, Any]) -> Removal:
    return Removal(
        step=step_name(plan, entry, row.get("step")),
        id=str(row.get("id") or ""),
        file=row.get("file"),
        offset=row.get("offset"),
        rule=str(row.get("rule") or ""),
        value=row.get("value"),
        threshold=row.get("threshold"),
        detail=row.get("detail"),
        other=row.get("other"),
    )


def step_name(plan: Mapping[str, Any], entry: Mapping[str, Any], place: int | None) -> str:
    """Return the step's id: a row says its position in the stage, the entry (or the plan) names the stage's steps."""
    stage, steps = str(entry.get("step", "")), [str(step) for step in entry.get("steps") or ()]
    for one in plan.get("stages", []) if not steps else ():
        known = [str(step["id"]) for step in one.get("steps", [])]
        steps = known if one.get("id") == stage or stage in known else steps
    return steps[place] if place is not None and 0 <= place < len(steps) else stage
