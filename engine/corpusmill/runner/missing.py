"""Units of which some are committed: run the others, return all records."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from corpusmill.dataset.store import FileRef
from corpusmill.plan.stages import Stage
from corpusmill.runner.session import Session, StageProgress
from corpusmill.runner.unit import Done, Unit


def run_missing(
    session: Session,
    stage: Stage,
    progress: StageProgress,
    units: Sequence[Unit],
    files: Callable[[dict[str, Any]], list[FileRef]],
    prepare: Callable[[Sequence[Unit]], None] | None = None,
    take: Callable[[Unit, dict[str, Any]], None] | None = None,
) -> dict[str, Any]:
    """Run the units that have no usable record and return all records by key.

    `files` names the files of a record; one whose files are gone is forgotten. Equal keys are one unit.
    `prepare` completes the payloads of the units that will run, if any will: what only they need is made then; `take`
    gets their records as they come.
    """
    distinct = {unit.key: unit for unit in units}
    records: dict[str, Any] = {}
    for key in distinct:
        record = session.store.committed(key)
        if record is not None and session.tries_again(key, record.get("failed")):
            continue
        if record is not None and session.store.has_files(files(record)):
            records[key] = record
        elif record is not None:
            session.store.forget(key, later=True)
    missing = [unit for key, unit in distinct.items() if key not in records]
    progress.done += len(records)
    progress.total = max(progress.total, progress.done + len(missing))

    if missing and prepare is not None:
        prepare(missing)

    def done(unit: Unit, result: Done) -> None:
        records[unit.key] = result.record
        if take is not None:
            take(unit, result.record)

    session.run(stage, progress, missing, done)
    return records
