"""The driver's side of unique ids: after a reader that takes ids from a column, before its dataset is published."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from corpusmill.dataset.manifest import Entry
from corpusmill.dataset.part import Part
from corpusmill.dataset.selection import Selection
from corpusmill.dataset.store import FileRef, make_key
from corpusmill.plan.stages import Stage
from corpusmill.runner.session import Session, StageProgress
from corpusmill.runner.unique_ids import UNIQUE_IDS, VERSION, UniqueIds
from corpusmill.runner.unit import Unit


@dataclass(frozen=True)
class Repeats:
    """What repeated ids mean for a dataset: its entries without them, quarantine files, how many rows went."""

    entries: list[Entry]
    quarantines: list[FileRef]
    turned_away: list[Entry]
    rows: int


def without_repeats(session: Session, stage: Stage, progress: StageProgress, entries: list[Entry]) -> Repeats:
    """Return the entries with each id once: the first in input order stays, however the input is cut into shards."""
    # Loads numba, which is a quarter of the start of a run that needs none of this.
    from corpusmill.runner.dedup_stage import DedupWork, run_committed, run_components, run_joins, run_sketches

    bases, total = [], 0
    for entry in entries:
        bases.append(total)
        total += entry.part.rows
    name = f"{UNIQUE_IDS}/{VERSION}"
    recipe = {"uses": UNIQUE_IDS}
    work = DedupWork(stage, UniqueIds(), recipe, name, name, entries, bases, 0, 0)
    sketches = run_sketches(session, work, progress)
    links = [one["links"] for one in run_joins(session, work, progress, sketches)]
    found = run_components(session, work, progress, sketches, links)
    units: list[Unit | None] = []
    for entry, made in zip(entries, found["decisions"], strict=True):
        payload = {"part": entry.part.to_json(), "decisions": made, "turned_away": stage.quarantine}
        key = make_key("repeats", name, entry.identity(), made, stage.quarantine)
        units.append(None if made is None else Unit(key, "repeats", payload))
    records = run_committed(session, stage, progress, [unit for unit in units if unit is not None])
    return _gathered(entries, [None if unit is None else records[unit.key] for unit in units])


def _gathered(entries: list[Entry], records: list[dict[str, Any] | None]) -> Repeats:
    kept, quarantines, turned_away, rows = [], [], [], 0
    for entry, record in zip(entries, records, strict=True):
        if record is None:
            kept.append(entry)
            continue
        kept.append(Entry(entry.part, Selection.from_json(record["selection"]), record["splits"]))
        quarantines.append(FileRef.from_json(record["quarantine"]))
        rows += record["rows"]
        if record["turned_away"]:
            turned_away.append(Entry(Part.from_json(record["turned_away"])))
    return Repeats(kept, quarantines, turned_away, rows)
