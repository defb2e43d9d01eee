"""The driver's side of merging: which sketches become one run before a join, and the masks of their rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from corpusmill.dataset.listing import publish_list
from corpusmill.dataset.manifest import Entry
from corpusmill.dataset.store import FileRef, make_key
from corpusmill.exchange.merge import merge_groups
from corpusmill.plan.stages import Stage
from corpusmill.runner.missing import run_missing
from corpusmill.runner.session import Session, StageProgress
from corpusmill.runner.unit import Unit

_VERSION = 1


def run_merges(
    session: Session,
    stage: Stage,
    progress: StageProgress,
    entries: Sequence[Entry],
    bases: Sequence[int],
    sketches: Sequence[Any],
    ranges: int,
) -> list[Any]:
    """Return [key file, number of its first row, selection or None] of what a join of so many ranges opens.

    Runs are committed under their ordered members: where a file was added, the other runs are taken from the store.
    """
    files = [FileRef.from_json(one["keys"]) for one in sketches]
    rows = [entry.part.rows for entry in entries]
    groups = merge_groups([one.checksum for one in files], rows, sum(one.bytes for one in files), ranges)
    merged = [group for group in groups if group.stop - group.start > 1]
    keys = _run(
        session,
        stage,
        progress,
        "merge",
        [_pairs(rows[group], [one.to_json() for one in files[group]]) for group in merged],
    )
    masked = [group for group in merged if any(entry.selection for entry in entries[group])]
    masks = _run(
        session, stage, progress, "merge-masks", [_pairs(rows[group], _chosen(entries[group])) for group in masked]
    )
    runs = {group.start: record["keys"] for group, record in zip(merged, keys, strict=True)}
    selections = {group.start: record["selection"] for group, record in zip(masked, masks, strict=True)}
    return [
        [runs[group.start], bases[group.start], selections.get(group.start)]
        if group.start in runs
        else [files[group.start].to_json(), bases[group.start], _chosen(entries[group])[0]]
        for group in groups
    ]


def _chosen(entries: Sequence[Entry]) -> list[Any]:
    return [entry.selection.to_json() if entry.selection else None for entry in entries]


def _pairs(rows: Sequence[int], values: Sequence[Any]) -> list[Any]:
    return [list(pair) for pair in zip(rows, values, strict=True)]


def _run(
    session: Session, stage: Stage, progress: StageProgress, kind: str, members: Sequence[Any]
) -> list[dict[str, Any]]:
    """Run the merges that are not committed; each gets its members as a list object."""
    lists = {make_key(kind, _VERSION, one): one for one in members}

    def prepare(missing: Sequence[Unit]) -> None:
        for unit in missing:
            unit.payload["members"] = publish_list(session.store, lists[unit.key]).to_json()

    units = [Unit(key, kind, {}) for key in lists]
    records = run_missing(session, stage, progress, units, _files, prepare)
    return [records[make_key(kind, _VERSION, one)] for one in members]


def _files(record: dict[str, Any]) -> list[FileRef]:
    return [FileRef.from_json(record["keys"] if "keys" in record else record["selection"][2])]
