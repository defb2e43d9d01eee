"""The driver's side of dedup by segments: sketches (kept as the corpus grows), repeats, shares, parts cut anew."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from corpusmill.dataset.hashing import hash_json
from corpusmill.dataset.listing import publish_list
from corpusmill.dataset.manifest import Dataset, Entry, publish_dataset
from corpusmill.dataset.part import Part
from corpusmill.dataset.schema import union_schema
from corpusmill.dataset.selection import Selection
from corpusmill.dataset.store import FileRef, make_key
from corpusmill.exchange.ranges import key_ranges
from corpusmill.plan.stages import Stage
from corpusmill.runner.dedup_stage import DedupWork, dedup_work, sketch_payload
from corpusmill.runner.exchange_inputs import rows_listed
from corpusmill.runner.inputs import bound_entries
from corpusmill.runner.merge_stage import run_merges
from corpusmill.runner.missing import run_missing
from corpusmill.runner.segment_cut import CUTS
from corpusmill.runner.session import Session, StageProgress, count_row
from corpusmill.runner.unit import Unit
from corpusmill.runner.withheld_stage import Withholding, breaker_of

_GROUP = 256
"""Parts that one unit hands repeats out to: it opens the file of every range, so it must serve many."""


def run_segment_stage(session: Session, stage: Stage) -> None:
    """Cut repeated segments over the whole input and publish a dataset of the parts that lost some, made anew."""
    step = stage.steps[0]
    datasets, entries = bound_entries(session, step, "documents")
    _, earlier = bound_entries(session, step, "against")
    work = dedup_work(session, stage, entries, earlier)
    progress = session.start_stage(stage, len(work.entries), 0)
    sketches = _run_sketches(session, work, progress)
    withheld = Withholding(session, stage, progress, work.earlier, work.entries)
    work.entries = withheld.without([[one["refused"]] if "refused" in one else [] for one in sketches])
    counts = withheld.counts
    bases, total = [], 0
    for sketch in sketches:
        bases.append(total)
        total += sketch["segments"]
    preferred = [*bases, total][work.earlier]
    while True:
        repeats = _run_repeats(session, work, progress, sketches, bases, preferred)
        shares = _run_shares(session, work, progress, sketches, bases, repeats)
        cut = _run_cuts(session, work, progress, sketches, shares)
        refused = [[one["refused"]] if one and "refused" in one else [] for one in cut]
        if not any(refused):
            break
        # What they said first is said by others now: what repeats that is found anew.
        work.entries = withheld.without([*([] for _ in range(work.earlier)), *refused], "cut")
    output = _publish(session, work, datasets, cut)
    counts.rows_out = output.rows
    told = {"documents": 0, "segments": 0, "bytes": 0}
    for record in cut:
        if record is not None:
            counts.changed += record["counts"]["changed"]
            for rule, rows in record["counts"]["removed"].items():
                counts.remove(rule, rows)
            told = {name: number + record["cut"][name] for name, number in told.items()}
    counts.check(stage.id)
    session.finish_stage(progress, output, output.rows, {step.id: {**count_row(step, counts, 0.0), "cut": told}})


def _run_sketches(session: Session, work: DedupWork, progress: StageProgress) -> list[dict[str, Any]]:
    """Sketch the parts that have no sketch under the options that change keys; return all in order."""
    payload = sketch_payload(session, work)
    units = [
        Unit(
            make_key("segment-sketch", work.key_print, entry.part.digest),
            "segment-sketch",
            {**payload, "part": entry.part.to_json()},
            weight=entry.part.file.bytes,
        )
        for entry in work.entries
    ]
    return _run(session, work, progress, units, take=breaker_of(work.stage))


def _run_repeats(
    session: Session,
    work: DedupWork,
    progress: StageProgress,
    sketches: list[dict[str, Any]],
    bases: list[int],
    preferred: int,
) -> list[Any]:
    """Find the repeats of every key range; return their files in order. Only keys, ranks and selections count."""
    selected = [entry.selection.digest if entry.selection else None for entry in work.entries]
    inputs = hash_json([sketches, selected, preferred])
    ranges = key_ranges(sum(FileRef.from_json(sketch["keys"]).bytes for sketch in sketches))
    units = [
        Unit(
            make_key("segment-repeats", inputs, str(low), str(high)),
            "segment-repeats",
            {"range": [low, high], "preferred": preferred},
        )
        for low, high in ranges
    ]

    def listed() -> dict[str, Any]:
        segments = _as_rows(session, work, progress, sketches)
        keys = run_merges(session, work.stage, progress, segments, bases, sketches, len(ranges))
        return {"keys": keys, **rows_listed(segments, bases, sketches)}

    return [record["repeats"] for record in _run(session, work, progress, units, listed)]


def _as_rows(session: Session, work: DedupWork, progress: StageProgress, sketches: list[dict[str, Any]]) -> list[Entry]:
    """Return the parts as the exchange sees them: a row for each segment, selected where its document is."""
    units = [
        Unit(
            make_key("segment-mask", entry.selection.digest, sketch["spans"]),
            "segment-mask",
            {"selection": entry.selection.to_json(), "spans": sketch["spans"]},
        )
        for entry, sketch in zip(work.entries, sketches, strict=True)
        if entry.selection is not None
    ]
    masks = iter(_run(session, work, progress, units))
    return [
        Entry(
            Part(entry.part.digest, sketch["segments"], entry.part.file),
            None if entry.selection is None else Selection.from_json(next(masks)["selection"]),
        )
        for entry, sketch in zip(work.entries, sketches, strict=True)
    ]


def _run_shares(
    session: Session,
    work: DedupWork,
    progress: StageProgress,
    sketches: list[dict[str, Any]],
    bases: list[int],
    repeats: list[Any],
) -> list[Any]:
    """Hand the repeats out to the parts that are not `against`: for each the file of its own, or None."""
    parts = [[base, sketch["segments"]] for base, sketch in zip(bases, sketches, strict=True)][work.earlier :]
    inputs = hash_json(repeats)
    groups = [parts[at : at + _GROUP] for at in range(0, len(parts), _GROUP)]
    units = [Unit(make_key("segment-shares", inputs, group), "segment-shares", {"parts": group}) for group in groups]
    found = _run(session, work, progress, units, lambda: {"repeats": repeats})
    return [share for record in found for share in record["shares"]]


def _run_cuts(
    session: Session, work: DedupWork, progress: StageProgress, sketches: list[dict[str, Any]], shares: list[Any]
) -> list[dict[str, Any] | None]:
    """Make the parts that lose segments anew; one whose share is as before is taken from the store."""
    units: list[Unit | None] = []
    own = zip(work.entries[work.earlier :], sketches[work.earlier :], shares, strict=True)
    for entry, sketch, share in own:
        if share is None:
            units.append(None)
            continue
        key = make_key("segment-cut", work.print, entry.identity(), sketch["spans"], share)
        selection = entry.selection.to_json() if entry.selection else None
        payload: dict[str, Any] = {"operator": work.recipe, "part": entry.part.to_json(), "selection": selection}
        payload |= {"spans": sketch["spans"], "share": share, "deadlines": [work.deadline]}
        units.append(Unit(key, "segment-cut", payload, weight=entry.part.file.bytes))
    records = iter(_run(session, work, progress, [unit for unit in units if unit is not None]))
    return [next(records) if unit is not None else None for unit in units]


def _run(
    session: Session,
    work: DedupWork,
    progress: StageProgress,
    units: list[Unit],
    listed: Callable[[], dict[str, Any]] | None = None,
    take: Callable[[Unit, dict[str, Any]], None] | None = None,
) -> list[dict[str, Any]]:
    """Run the units of a phase that are not committed; return all records in order.

    `listed` makes what all of them read, when any must run: they get the digest of one list object, for the lists of
    a large corpus are too long to send with each.
    """

    def prepare(missing: Sequence[Unit]) -> None:
        inputs = publish_list(session.store, listed()).to_json() if listed is not None else None
        for unit in missing:
            unit.payload["inputs"] = inputs

    records = run_missing(session, work.stage, progress, units, _files, prepare, take)
    return [records[unit.key] for unit in units]


def _files(record: dict[str, Any]) -> list[FileRef]:
    """Return the files that a record of any of the phases names."""
    named = [record[name] for name in ("keys", "rows", "refused", "spans", "repeats", "ledger") if record.get(name)]
    named += [share for share in record.get("shares", ()) if share]
    named += [record[name][2] for name in ("part", "cuts", "removed", "selection") if record.get(name)]
    return [FileRef.from_json(one) for one in named]


def _publish(session: Session, work: DedupWork, datasets: list[Dataset], cut: list[dict[str, Any] | None]) -> Dataset:
    """Publish the documents, those removed as they came in, and the cuts; note the ledgers."""
    schema = union_schema([dataset.schema for dataset in datasets])
    step, stage = work.stage.steps[0], work.stage.id
    kept, removed, cuts = [], [], []
    for entry, record in zip(work.entries[work.earlier :], cut, strict=True):
        if record is None:
            kept.append(entry)
            continue
        kept.append(Entry(Part.from_json(record["part"]), None, record["splits"]))
        cuts.append(Entry(Part.from_json(record["cuts"])))
        if record["removed"]:
            removed.append(Entry(entry.part, Selection.from_json(record["removed"])))
        if record["ledger"]:
            name = FileRef.from_json(record["ledger"]).name
            session.ledgers.append({"step": stage, "steps": [stage], "path": f"{session.store.uri}/{name}"})
    output = publish_dataset(session.store, schema, kept)
    session.results[step.id, None] = output
    session.results[step.id, "removed"] = publish_dataset(session.store, schema, removed)
    session.results[step.id, "cuts"] = publish_dataset(session.store, CUTS, cuts)
    return output
