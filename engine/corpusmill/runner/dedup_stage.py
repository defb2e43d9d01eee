"""The driver's side of dedup: sketches (kept as the corpus grows), joins, components, selections, the new manifest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from corpusmill.dataset.hashing import hash_json
from corpusmill.dataset.listing import publish_list
from corpusmill.dataset.manifest import Dataset, Entry, publish_dataset
from corpusmill.dataset.part import Part
from corpusmill.dataset.schema import union_schema
from corpusmill.dataset.selection import Selection
from corpusmill.dataset.store import FileRef, make_key
from corpusmill.exchange.ranges import key_ranges
from corpusmill.ledger.counts import StepCounts
from corpusmill.plan.fingerprint import build_operator, key_fingerprint, recipe
from corpusmill.plan.stages import Stage
from corpusmill.runner.dedup_units import CLUSTERS
from corpusmill.runner.exchange_inputs import rows_listed
from corpusmill.runner.inputs import bound_entries
from corpusmill.runner.merge_stage import run_merges
from corpusmill.runner.missing import run_missing
from corpusmill.runner.session import Session, StageProgress, count_row
from corpusmill.runner.unit import Unit
from corpusmill.runner.withheld_stage import Withholding, breaker_of, refuse, refused_by


@dataclass
class DedupWork:
    """Everything the phases share: parts in rank order (`against` first), their bases, the recipe and its prints."""

    stage: Stage
    operator: Any
    recipe: dict[str, Any]
    print: str
    key_print: str
    entries: list[Entry]
    bases: list[int]
    preferred: int
    earlier: int

    @property
    def deadline(self) -> float | None:
        """Seconds that one call of the operator may take."""
        return self.stage.steps[0].limits.deadline

    @property
    def identities(self) -> list[Any]:
        """What stands for each part and its selection in keys."""
        return [entry.identity() for entry in self.entries]

    @property
    def selections(self) -> list[Any]:
        """The selection of each part as it travels to workers."""
        return [entry.selection.to_json() if entry.selection else None for entry in self.entries]


def run_dedup_stage(session: Session, stage: Stage) -> None:
    """Find duplicates over the whole input and publish a dataset of the same parts with narrower selections."""
    step = stage.steps[0]
    if getattr(step.operator, "unit", None) == "segment":
        from corpusmill.runner.segment_stage import run_segment_stage

        run_segment_stage(session, stage)
        return
    datasets, entries = bound_entries(session, step, "documents")
    _, earlier = bound_entries(session, step, "against")
    work = dedup_work(session, stage, entries, earlier)
    progress = session.start_stage(stage, len(work.entries), 0)
    sketches = run_sketches(session, work, progress)
    withheld = Withholding(session, stage, progress, work.earlier, work.entries)
    work.entries = withheld.without([[one["refused"]] if "refused" in one else [] for one in sketches])
    found = _run_comparisons(session, work, progress, sketches, withheld)
    counts = withheld.counts
    chosen = _run_selects(session, work, progress, found["decisions"])
    output = _publish(session, work, datasets, chosen)
    _count(counts, work, output, chosen)
    _record_ledgers(session, stage, chosen)
    row = {**count_row(step, counts, 0.0), "clusters": found["sizes"]}
    session.finish_stage(progress, output, output.rows, {step.id: row})


def _run_comparisons(
    session: Session, work: DedupWork, progress: StageProgress, sketches: list[Any], withheld: Withholding
) -> dict[str, Any]:
    """Join, and find components; begin anew without the documents that cannot be compared, while there are such."""
    while True:
        joined = run_joins(session, work, progress, sketches)
        if not refuse(joined):
            found = run_components(session, work, progress, sketches, [one["links"] for one in joined])
            if not refuse([found]):
                return found
            joined = [found]
        work.entries = withheld.without(refused_by(joined, len(work.entries)), "compared")


def dedup_work(session: Session, stage: Stage, entries: list[Entry], earlier: list[Entry]) -> DedupWork:
    """Return what the phases of a dedup stage share."""
    step = stage.steps[0]
    operator = build_operator(step, session.seed, session.base)
    every = [*earlier, *entries]
    bases, total = [], 0
    for entry in every:
        bases.append(total)
        total += entry.part.rows
    preferred = bases[len(earlier)] if len(earlier) < len(every) else total
    return DedupWork(
        stage,
        operator,
        recipe(step, session.seed, session.base),
        session.fingerprint(step, operator),
        key_fingerprint(step, operator),
        every,
        bases,
        preferred if earlier else 0,
        len(earlier),
    )


def run_sketches(session: Session, work: DedupWork, progress: StageProgress) -> list[Any]:
    """Sketch the parts that have no sketch under the options that change keys; return all in order."""
    keys = [make_key("sketch", work.key_print, entry.part.digest) for entry in work.entries]
    payload = sketch_payload(session, work)
    units = {
        key: Unit(key, "sketch", {**payload, "part": entry.part.to_json()}, weight=entry.part.file.bytes)
        for key, entry in zip(keys, work.entries, strict=True)
    }
    take = breaker_of(work.stage)
    records = run_missing(session, work.stage, progress, list(units.values()), _files, take=take)
    return [records[key] for key in keys]


def sketch_payload(session: Session, work: DedupWork) -> dict[str, Any]:
    """Return what the units of all sketches are told."""
    batch_bytes = session.checked.spec.run.batch_bytes
    return {"operator": work.recipe, "deadlines": [work.deadline], "batch_bytes": batch_bytes}


def run_joins(session: Session, work: DedupWork, progress: StageProgress, sketches: list[Any]) -> list[Any]:
    """Join all key ranges; return the records in order."""
    # The files' sizes: opening each of a hundred thousand to count its keys would take longer than a small join.
    ranges = key_ranges(sum(FileRef.from_json(one["keys"]).bytes for one in sketches))
    inputs = hash_json([sketches, work.identities, work.preferred])
    payload = {"operator": work.recipe, "preferred": work.preferred, "deadline": work.deadline}
    units = [
        Unit(make_key("join", work.print, inputs, str(low), str(high)), "join", {**payload, "range": [low, high]})
        for low, high in ranges
    ]

    def prepare(missing: Sequence[Unit]) -> None:
        keys = run_merges(session, work.stage, progress, work.entries, work.bases, sketches, len(ranges))
        listed = {"keys": keys, **rows_listed(work.entries, work.bases, sketches)}
        if work.operator.verifies:
            listed["parts"] = [entry.part.to_json() for entry in work.entries]
        _with_inputs(session, missing, listed)

    records = run_missing(session, work.stage, progress, units, _files, prepare)
    return [records[unit.key] for unit in units]


def run_components(
    session: Session, work: DedupWork, progress: StageProgress, sketches: list[Any], links: list[Any]
) -> dict[str, Any]:
    """Find the components over all links; return the decisions about each part and the sizes of clusters."""
    parts = [entry.part.to_json() for entry in work.entries]
    key = make_key("components", work.print, sketches, links, [part[0] for part in parts], work.preferred)
    payload = {"operator": work.recipe, "preferred": work.preferred, "deadline": work.deadline}
    unit = Unit(key, "components", payload)

    def prepare(missing: Sequence[Unit]) -> None:
        rows = rows_listed(work.entries, work.bases, sketches)
        _with_inputs(session, missing, {"links": links, "parts": parts, **rows})

    record: dict[str, Any] = run_missing(session, work.stage, progress, [unit], _files, prepare)[key]
    return record


def _with_inputs(session: Session, missing: Sequence[Unit], listed: dict[str, Any]) -> None:
    """Give units the digest of one list object: the lists of a large corpus are too long to send with each."""
    inputs = publish_list(session.store, listed).to_json()
    for unit in missing:
        unit.payload["inputs"] = inputs


def _run_selects(
    session: Session, work: DedupWork, progress: StageProgress, decisions: list[Any]
) -> list[dict[str, Any] | None]:
    """Select rows of the parts that lose some; a part whose decisions are as before reuses its selection."""
    units: list[Unit | None] = []
    for entry, made in zip(work.entries, decisions, strict=True):
        if made is None:
            units.append(None)
            continue
        reason, threshold = work.operator.reason, work.operator.threshold()
        key = make_key("select", reason, threshold, entry.identity(), made)
        selection = entry.selection.to_json() if entry.selection else None
        payload = {"part": entry.part.to_json(), "selection": selection, "decisions": made}
        units.append(Unit(key, "select", {**payload, "reason": reason, "threshold": threshold}))
    records = run_committed(session, work.stage, progress, [unit for unit in units if unit is not None])
    return [records[unit.key] if unit is not None else None for unit in units][work.earlier :]


def run_committed(session: Session, stage: Stage, progress: StageProgress, units: Sequence[Unit]) -> dict[str, Any]:
    """Run the units of a dedup phase that are not committed; return all records by key."""
    return run_missing(session, stage, progress, units, _files)


def _files(record: dict[str, Any]) -> list[FileRef]:
    """Return the files that a record of a dedup unit names."""
    names = ("keys", "rows", "refused", "links", "ledger", "quarantine")
    named = [record[name] for name in names if isinstance(record.get(name), list)]
    named += [one for one in record.get("decisions", ()) if one]
    named += [file for _, file in record.get("withheld", ())]
    named += [record[name][2] for name in ("selection", "removed", "clusters", "turned_away") if record.get(name)]
    return [FileRef.from_json(one) for one in named]


def _publish(
    session: Session, work: DedupWork, datasets: list[Dataset], chosen: list[dict[str, Any] | None]
) -> Dataset:
    schema = union_schema([dataset.schema for dataset in datasets])
    step, own = work.stage.steps[0], work.entries[work.earlier :]
    kept, removed, clusters = [], [], []
    for entry, record in zip(own, chosen, strict=True):
        if record is None:
            kept.append(entry)
            continue
        kept.append(Entry(entry.part, Selection.from_json(record["selection"]), record["splits"]))
        removed.append(Entry(entry.part, Selection.from_json(record["removed"])))
        clusters.append(Entry(Part.from_json(record["clusters"])))
    output = publish_dataset(session.store, schema, kept)
    session.results[step.id, None] = output
    session.results[step.id, "removed"] = publish_dataset(session.store, schema, removed)
    session.results[step.id, "clusters"] = publish_dataset(session.store, CLUSTERS, clusters)
    return output


def _count(counts: StepCounts, work: DedupWork, output: Dataset, chosen: list[dict[str, Any] | None]) -> None:
    counts.rows_out = output.rows
    for record in chosen:
        for rule, rows in (record or {"rules": {}})["rules"].items():
            counts.remove(rule, rows)
    counts.check(work.stage.id)


def _record_ledgers(session: Session, stage: Stage, chosen: list[dict[str, Any] | None]) -> None:
    for record in chosen:
        if record is not None:
            name = FileRef.from_json(record["ledger"]).name
            session.ledgers.append({"step": stage.id, "steps": [stage.id], "path": f"{session.store.uri}/{name}"})
