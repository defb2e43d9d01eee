"""The driver's side of documents that an export leaves out: counted, listed, judged, and tried again on request."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from corpusmill.dataset.hashing import hash_json
from corpusmill.dataset.manifest import Entry
from corpusmill.dataset.store import FileRef, make_key
from corpusmill.ledger.counts import StepCounts
from corpusmill.plan.stages import Stage
from corpusmill.plugin.local import home_of
from corpusmill.runner.blame import Breaker
from corpusmill.runner.limits import check_limits
from corpusmill.runner.session import Session, count_row
from corpusmill.runner.unit import Done, Unit

Files = Sequence[Mapping[str, Any]]
"""What an export's manifest says of each of its files; `failed`: reason -> documents that it leaves out."""


def file_key(made: str, name: str) -> str:
    """Return the key of one file of an export: its unit's, and that of the record of what it leaves out."""
    return make_key("file", made, name)


def incomplete(files: Files) -> bool:
    """Say whether the files leave documents out."""
    return any(one.get("failed") for one in files)


def is_settled(session: Session, made: str, digest: str, facts: Mapping[str, Any]) -> bool:
    """Say whether an export leaves out just what the store tells, and nothing of that is to be tried again.

    `digest`: of its input; `facts`: its manifest. Another export of the same input may have tried them since.
    """
    again = [session.tries_again(file_key(made, one["name"]), one.get("failed")) for one in facts["files"]]
    return not any(again) and content_digest(session, digest, made, facts["files"]) == facts["digest"]


def try_again(session: Session, units: Sequence[Unit]) -> None:
    """Forget what files left out, where a run is to try that again."""
    for unit in units if session.retry else ():
        session.tries_again(unit.key, (_record(session, unit.key) or {}).get("failed"))


def breaker_of(stage: Stage) -> Callable[[Unit, Done], None]:
    """Return what looks at files as they come, and stops the run for a writer that fails on all documents."""
    breaker = Breaker([(one.id, one.uses, home_of(one.operator)) for one in stage.steps])

    def take(unit: Unit, done: Done) -> None:
        failed = done.record.get("failed", {})
        breaker.take(unit, [{"in": done.record["rows"] + sum(failed.values()), "quarantined": failed}])

    return take


def judge(session: Session, stage: Stage, made: str, entries: Sequence[Entry], files: Files) -> dict[str, Any]:
    """Return the counts of a step that left documents out, and list them; raises BadRecordLimit for too many.

    Otherwise nothing: an export is no dataset, and all that came in is in it.
    """
    if not incomplete(files):
        return {}
    (step,) = stage.steps
    counts = StepCounts(_selected(entries), sum(one["rows"] for one in files))
    for one in files:
        for reason, rows in one.get("failed", {}).items():
            counts.quarantine(reason, rows)
    counts.check(step.id)
    session.list_quarantine(stage, counts, _quarantines(session, made, files))
    check_limits(session, stage, [counts])
    return {step.id: count_row(step, counts, 0.0)}


def content_digest(session: Session, digest: str, made: str, files: Files) -> str:
    """Return what stands for the documents of an export: the digest of its input, or another where some are left out.

    `files`: the records of all of them.
    """
    left_out = _quarantines(session, made, files)
    return hash_json(["without", digest, left_out]) if left_out else digest


def _quarantines(session: Session, made: str, files: Files) -> list[Any]:
    records = [_record(session, file_key(made, one["name"])) for one in files if one.get("failed")]
    return [record["quarantine"] for record in records if record is not None]


def _record(session: Session, key: str) -> dict[str, Any] | None:
    """Return the record of what a file leaves out; None where there is none, or its quarantine is gone."""
    record = session.store.committed(key)
    return record if record and session.store.has_files([FileRef.from_json(record["quarantine"])]) else None


def _selected(entries: Sequence[Entry]) -> int:
    """Count the documents that files are made of: all, or those with a label where there are labels."""
    if any(entry.splits for entry in entries):
        return sum(sum(entry.splits.values()) for entry in entries)
    return sum(entry.rows for entry in entries)
