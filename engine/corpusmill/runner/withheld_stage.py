"""The driver's side of documents that have no sketch: out of the selections, into quarantine, counted and judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from corpusmill.dataset.manifest import Entry
from corpusmill.dataset.part import Part
from corpusmill.dataset.selection import Selection
from corpusmill.dataset.store import FileRef, make_key
from corpusmill.ledger.counts import StepCounts
from corpusmill.plan.stages import Stage
from corpusmill.plugin.local import home_of
from corpusmill.runner.blame import Breaker
from corpusmill.runner.limits import check_limits
from corpusmill.runner.missing import run_missing
from corpusmill.runner.session import Session, StageProgress
from corpusmill.runner.unit import Unit


def breaker_of(stage: Stage) -> Callable[[Unit, Mapping[str, Any]], None]:
    """Return what looks at records of sketches as they come, and stops the run for an operator that fails on all."""
    breaker = Breaker([(one.id, one.uses, home_of(one.operator)) for one in stage.steps])

    def take(unit: Unit, record: Mapping[str, Any]) -> None:
        rows = Part.from_json(unit.payload["part"]).rows
        breaker.take(unit, [{"in": rows, "quarantined": record.get("failed", {})}])

    return take


def withhold(
    session: Session,
    stage: Stage,
    progress: StageProgress,
    entries: Sequence[Entry],
    earlier: int,
    sketches: Sequence[Mapping[str, Any]],
) -> tuple[list[Entry], StepCounts]:
    """Return the entries without the documents that have no sketch, and the counts of the step so far.

    The first `earlier` entries are those of `against`: what cannot be sketched there is nobody's duplicate, and is
    said aloud. Raises BadRecordLimit for too many of the others, which are in the run's quarantine then.
    """
    units = [_unit(entry, sketch) for entry, sketch in zip(entries, sketches, strict=True)]
    missing = [unit for unit in units if unit is not None]
    records = run_missing(session, stage, progress, missing, _files) if missing else {}
    made = [None if unit is None else records[unit.key] for unit in units]
    counts = StepCounts(sum(entry.rows for entry in entries[earlier:]))
    for record in made[earlier:]:
        for reason, rows in (record or {}).get("reasons", {}).items():
            counts.quarantine(reason, rows)
    session.list_quarantine(stage, counts, [one["quarantine"] for one in made[earlier:] if one and one["rows"]])
    _tell_of_earlier(session, stage, made[:earlier])
    check_limits(session, stage, [counts])
    return [_narrower(entry, record) for entry, record in zip(entries, made, strict=True)], counts


def _unit(entry: Entry, sketch: Mapping[str, Any]) -> Unit | None:
    if "refused" not in sketch:
        return None
    selection = entry.selection.to_json() if entry.selection else None
    payload = {"part": entry.part.to_json(), "selection": selection, "refused": sketch["refused"]}
    return Unit(make_key("withhold", entry.identity(), sketch["refused"]), "withhold", payload)


def _narrower(entry: Entry, record: Mapping[str, Any] | None) -> Entry:
    if record is None or not record["rows"]:
        return entry
    return Entry(entry.part, Selection.from_json(record["selection"]), record["splits"])


def _tell_of_earlier(session: Session, stage: Stage, made: Sequence[Mapping[str, Any] | None]) -> None:
    lost = StepCounts()
    for record in made:
        for reason, rows in (record or {}).get("reasons", {}).items():
            lost.quarantine(reason, rows)
    if lost.quarantined:
        reasons = ", ".join(f"{reason} {rows:,}" for reason, rows in sorted(lost.quarantined.items()))
        documents = sum(lost.quarantined.values())
        session.notices.append(
            f"{stage.id}: {documents:,} earlier documents (`against`) cannot be sketched ({reasons}); "
            "what repeats them stays in"
        )


def _files(record: Mapping[str, Any]) -> list[FileRef]:
    if not record["rows"]:
        return []
    return [FileRef.from_json(record["quarantine"]), FileRef.from_json(record["selection"][2])]
