"""The driver's side of documents that a deduplicator fails on: out of the selections, into quarantine, judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
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


@dataclass
class Withholding:
    """Takes documents out of the input of a step, as often as it is found to fail on some.

    The first `earlier` of the `entries` are those of `against`: what the step fails on there is nobody's duplicate, and
    is said aloud. `counts`: those of the step so far.
    """

    session: Session
    stage: Stage
    progress: StageProgress
    earlier: int
    entries: list[Entry]
    counts: StepCounts = field(init=False)

    def __post_init__(self) -> None:
        """Count what comes in."""
        self.counts = StepCounts(sum(entry.rows for entry in self.entries[self.earlier :]))

    def without(self, refused: Sequence[Sequence[Any]], done: str = "sketched") -> list[Entry]:
        """Return the entries without their `refused` rows: for each the files that list them; `done`: what was tried.

        Raises BadRecordLimit for too many, which are in the run's quarantine then.
        """
        units = [_unit(entry, files) for entry, files in zip(self.entries, refused, strict=True)]
        missing = [unit for unit in units if unit is not None]
        records = run_missing(self.session, self.stage, self.progress, missing, _files) if missing else {}
        made = [None if unit is None else records[unit.key] for unit in units]
        lost = _reasons(made[self.earlier :])
        self.counts.merge(lost)
        files = [one["quarantine"] for one in made[self.earlier :] if one and one["rows"]]
        self.session.list_quarantine(self.stage, lost, files)
        self._tell_of_earlier(_reasons(made[: self.earlier]), done)
        check_limits(self.session, self.stage, [self.counts])
        self.entries = [_narrower(entry, record) for entry, record in zip(self.entries, made, strict=True)]
        return self.entries

    def _tell_of_earlier(self, lost: StepCounts, done: str) -> None:
        if lost.quarantined:
            reasons = ", ".join(f"{reason} {rows:,}" for reason, rows in sorted(lost.quarantined.items()))
            documents = sum(lost.quarantined.values())
            self.session.notices.append(
                f"{self.stage.id}: {documents:,} earlier documents (`against`) cannot be {done} ({reasons}); "
                "what repeats them stays in"
            )


def refuse(records: Sequence[Mapping[str, Any]]) -> bool:
    """Say whether units found documents that they fail on."""
    return any(record.get("withheld") for record in records)


def refused_by(records: Sequence[Mapping[str, Any]], entries: int) -> list[list[Any]]:
    """Return for each entry the files that list the documents that units fail on."""
    refused: list[list[Any]] = [[] for _ in range(entries)]
    for record in records:
        for entry, file in record.get("withheld", ()):
            refused[entry].append(file)
    return refused


def _reasons(records: Sequence[Mapping[str, Any] | None]) -> StepCounts:
    lost = StepCounts()
    for record in records:
        for reason, rows in (record or {}).get("reasons", {}).items():
            lost.quarantine(reason, rows)
    return lost


def _unit(entry: Entry, refused: Sequence[Any]) -> Unit | None:
    if not refused:
        return None
    selection = entry.selection.to_json() if entry.selection else None
    payload = {"part": entry.part.to_json(), "selection": selection, "refused": list(refused)}
    return Unit(make_key("withhold", entry.identity(), list(refused)), "withhold", payload)


def _narrower(entry: Entry, record: Mapping[str, Any] | None) -> Entry:
    if record is None or not record["rows"]:
        return entry
    return Entry(entry.part, Selection.from_json(record["selection"]), record["splits"])


def _files(record: Mapping[str, Any]) -> list[FileRef]:
    if not record["rows"]:
        return []
    return [FileRef.from_json(record["quarantine"]), FileRef.from_json(record["selection"][2])]
