"""The driver's side of a pass: shard keys, units for what is not committed, then the dataset's manifest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa

from corpusmill.dataset.artifact import Artifact
from corpusmill.dataset.manifest import Dataset, Entry, publish_dataset
from corpusmill.dataset.part import Part
from corpusmill.dataset.schema import ENGINE_COLUMNS, SPLIT, SPLIT_TYPE, canonical_schema, describe_schema, union_schema
from corpusmill.dataset.store import FileRef, make_key
from corpusmill.errors import InputError
from corpusmill.ledger.counts import StepCounts, merge_counts
from corpusmill.ledger.quarantine import DOCUMENTS
from corpusmill.ledger.signals import merge_signals
from corpusmill.plan.fingerprint import build_operator, recipe
from corpusmill.plan.stages import Stage
from corpusmill.plugin.local import home_of
from corpusmill.plugin.reader import ReadLimits
from corpusmill.runner.blame import Breaker
from corpusmill.runner.id_stage import Repeats, without_repeats
from corpusmill.runner.limits import check_limits
from corpusmill.runner.placement import together
from corpusmill.runner.promises import expect_records
from corpusmill.runner.references import resolve_reference
from corpusmill.runner.session import Session, StageProgress, count_row
from corpusmill.runner.source_files import find_shards, forget_files, prepare_reader, report_damaged
from corpusmill.runner.text_column import expect_text
from corpusmill.runner.unique_ids import REASON
from corpusmill.runner.unit import Done, Unit


@dataclass(frozen=True)
class PassPlan:
    """A pass ready to run: recipes and fingerprints of its steps, schemas between them, its shards' sources."""

    recipes: list[dict[str, Any]]
    fingerprints: list[str]
    schemas: list[pa.Schema]
    sources: list[dict[str, Any]]
    identities: list[Any]
    weights: list[int]
    damaged: list[dict[str, Any]]
    """Files that cannot be cut into shards."""


def run_pass_stage(session: Session, stage: Stage) -> None:
    """Run a pass and publish its dataset (and the removed rows that some step wants)."""
    plan = plan_pass(session, stage)
    keys = [_key(session, stage, plan, identity) for identity in plan.identities]
    records = {key: record for key in dict.fromkeys(keys) if (record := _usable(session, stage, key)) is not None}
    cached = sum(key in records for key in keys)
    progress = session.start_stage(stage, len(keys), cached)
    seconds = [0.0] * len(stage.steps)
    breaker = Breaker([(one.id, one.uses, home_of(one.operator)) for one in stage.steps], int(stage.reads_files))

    def done(unit: Unit, result: Done) -> None:
        records[unit.key] = result.record
        progress.rows += result.record["counts"][0]["in"] if result.record["counts"] else 0
        for step, spent in enumerate(result.seconds):
            seconds[step] += spent
        breaker.take(unit, result.record["counts"])

    pools = _pools(session, stage, plan) if cached < len(keys) else None
    try:
        session.run(stage, progress, _units(session, stage, plan, keys, records, pools), done)
    except InputError:
        # A file that changed may look as it did (size and time): the next run must not believe its looks again.
        if stage.reads_files:
            reader = build_operator(stage.steps[0], session.seed, session.base)
            forget_files(session, reader, plan.recipes[0])
        raise
    finally:
        session.executor.release(pools)
    ordered = [records[key] for key in keys]
    _report_damage(session, stage, plan, ordered)
    kept = _without_damaged(session, plan, ordered)
    counts = _collect(session, stage, kept, seconds)
    if stage.reads_files and session.limit is None:
        expect_records(session.checked.spec, stage.steps[0], counts[0].rows_in)
    entries = [Entry(Part.from_json(record["part"]), None, record["splits"]) for record in kept]
    repeats = _without_repeats(session, stage, progress, entries, counts)
    check_limits(session, stage, counts)
    output = _publish(session, stage, plan, kept, repeats)
    rows = {step.id: count_row(step, counts[index], seconds[index]) for index, step in enumerate(stage.steps)}
    session.finish_stage(progress, output, output.rows, rows)


def plan_pass(session: Session, stage: Stage) -> PassPlan:
    """Work out everything about a pass that needs no rows."""
    operators = [build_operator(step, session.seed, session.base) for step in stage.steps]
    recipes = [recipe(step, session.seed, session.base, device=session.placement(step).device) for step in stage.steps]
    if stage.reads_files:
        prepare_reader(session, stage, operators[0])
        if hasattr(operators[0], "state"):
            recipes[0]["state"] = operators[0].state()
    prints = [session.fingerprint(step, operator) for step, operator in zip(stage.steps, operators, strict=True)]
    for index, step in enumerate(stage.steps):
        artifacts = _artifacts(session, step)
        if artifacts:
            recipes[index]["artifacts"] = artifacts
            prints[index] = make_key("bound", prints[index], artifacts)
    if stage.reads_files:
        source_schema = canonical_schema({**operators[0].adds(), **ENGINE_COLUMNS})
        sources, identities, weights, damaged = _file_sources(session, stage, operators[0], recipes[0])
        following = operators[1:]
    else:
        source_schema, sources, identities, weights = _dataset_sources(session, stage)
        following, damaged = operators, []
    schemas = _schemas(source_schema, following)
    for step, operator, schema in zip(stage.steps[-len(following) :], following, schemas, strict=False):
        expect_text(step, operator, schema)
    return PassPlan(recipes, prints, schemas, sources, identities, weights, damaged)


def _schemas(schema: pa.Schema, operators: list[Any]) -> list[pa.Schema]:
    """Return the schema before the first operator and after each."""
    schemas = [schema]
    for operator in operators:
        columns = {field.name: field.type for field in schemas[-1]}
        columns.update(operator.adds())
        if operator.kind == "split":
            columns[SPLIT] = SPLIT_TYPE
        if operator.kind == "augment":
            columns.update({"augmented_from": pa.string(), "augmentation": pa.string()})
        for name in operator.drops():
            columns.pop(name, None)
        schemas.append(canonical_schema(columns))
    return schemas


def _file_sources(
    session: Session, stage: Stage, reader: Any, reader_recipe: dict[str, Any]
) -> tuple[list[dict[str, Any]], list[Any], list[int], list[dict[str, Any]]]:
    limits = asdict(ReadLimits.of(stage.steps[0].limits))
    # These decide which records are read, so unlike other limits they are part of the key.
    decisive = [limits["max_document_bytes"], limits["max_json_depth"]]
    sources, identities, weights = [], [], []
    shards, damaged = find_shards(session, stage, reader, reader_recipe)
    for shard in shards:
        sources.append({"kind": "files", "ranges": [one.to_json() for one in shard], "limits": limits})
        identities.append([[one.identity for one in shard], decisive])
        weights.append(sum(_weight(reader, one) for one in shard))
    return sources, identities, weights, damaged


def _weight(reader: Any, one: Any) -> int:
    return int(one.stop - one.start if reader.counts == "bytes" else one.size)


def _dataset_sources(session: Session, stage: Stage) -> tuple[pa.Schema, list[dict[str, Any]], list[Any], list[int]]:
    bound = []
    for ref in stage.steps[0].inputs["documents"]:
        dataset = resolve_reference(ref, session.results, session.store)
        assert isinstance(dataset, Dataset)
        bound.append((dataset, ref.split))
    schema = union_schema([dataset.schema for dataset, _ in bound])
    sources, identities, weights = [], [], []
    for dataset, split in bound:
        for entry in dataset.entries:
            selection = entry.selection.to_json() if entry.selection else None
            source = {"kind": "part", "part": entry.part.to_json(), "selection": selection, "split": split}
            sources.append(source)
            identities.append([entry.identity(), split])
            weights.append(entry.part.file.bytes)
    return schema, sources, identities, weights


def _artifacts(session: Session, step: Any) -> dict[str, str]:
    """Return the digests of the artifacts that a step's ports beside documents are bound to."""
    digests = {}
    ports = step.operator.ports()
    for port, refs in step.inputs.items():
        if ports[port].artifact == "documents":
            continue
        bound = [resolve_reference(ref, session.results, session.store) for ref in refs]
        if bound and isinstance(bound[0], Artifact):
            digests[port] = bound[0].digest
    return digests


def _key(session: Session, stage: Stage, plan: PassPlan, identity: Any) -> str:
    removed = [index for index, step in enumerate(stage.steps) if step.id in stage.removed]
    described = describe_schema(plan.schemas[0])
    return make_key("pass", plan.fingerprints, described, identity, removed, stage.quarantine, session.limit)


def _usable(session: Session, stage: Stage, key: str) -> dict[str, Any] | None:
    """Return a commit record whose files are all there, and in which there is nothing to be tried again."""
    record = session.store.committed(key)
    if record is None:
        return None
    if session.tries_again(key, _failed_rows(stage, record)):
        return None
    then = record.get("kept_out", {}).get("limits", {})
    if any(getattr(stage.steps[0].limits, name) != bound for name, bound in then.items()):
        session.store.forget(key, later=True)
        return None
    files = [Part.from_json(record["part"]).file, *(Part.from_json(one).file for one in record["removed"].values())]
    files += [FileRef.from_json(record[name]) for name in ("ledger", "quarantine") if record[name]]
    files += [Part.from_json(record["turned_away"]).file] if record["turned_away"] else []
    files += [FileRef.from_json(one) for one in record.get("values", {}).values()]
    if session.store.has_files(files):
        return record
    session.store.forget(key, later=True)
    return None


def _failed_rows(stage: Stage, record: dict[str, Any]) -> int:
    """Return how many rows of a shard are out because a step raised on them, or died or passed its deadline.

    What a reader turns away depends on the file's bytes and the reader alone: another try would tell the same.
    """
    steps = record["counts"][1 if stage.reads_files else 0 :]
    return sum(sum(one["quarantined"].values()) for one in steps)


def _units(
    session: Session, stage: Stage, plan: PassPlan, keys: list[str], records: dict[str, Any], pools: Any
) -> Iterator[Unit]:
    settings = session.checked.spec.run
    sent = set(records)
    resources = together(
        session.placement(step).resources for index, step in enumerate(stage.steps) if index not in (pools or {})
    )
    index_of = {step.id: index for index, step in enumerate(stage.steps)}
    first = 1 if stage.reads_files else 0
    for key, source, weight in zip(keys, plan.sources, plan.weights, strict=True):
        if key in sent:
            continue
        sent.add(key)
        removed = {str(index_of[step]): _hex(plan.schemas[index_of[step] - first]) for step in stage.removed}
        payload = {
            "operators": plan.recipes,
            "source": source,
            "schemas": [_hex(plan.schemas[0]), _hex(plan.schemas[-1])],
            "removed": removed,
            "turned_away": stage.quarantine,
            "batch_bytes": settings.batch_bytes,
            "deadlines": [step.limits.deadline for step in stage.steps],
            "on_corrupt_file": stage.steps[0].limits.on_corrupt_file,
            "limit": session.limit,
        }
        yield Unit(key, "pass", payload, resources, weight, handles=pools)


def _pools(session: Session, stage: Stage, plan: PassPlan) -> Any:
    recipes, resources = {}, {}
    for index, step in enumerate(stage.steps):
        if plan.recipes[index].get("artifacts"):
            recipes[index] = plan.recipes[index]
            resources[index] = session.placement(step).resources
    return session.executor.pools(recipes, resources) if recipes else None


def _report_damage(session: Session, stage: Stage, plan: PassPlan, records: list[dict[str, Any]]) -> None:
    damaged = {one["file"]: (one["reason"], one["offset"]) for one in plan.damaged}
    damaged |= {name: (reason, offset) for record in records for name, reason, offset in record["damaged"]}
    kept_out = {name for record in records for name in record.get("kept_out", {}).get("files", ())}
    listed = [
        {"step": stage.steps[0].id, "file": name, "reason": reason, "offset": offset, "limit": name in kept_out}
        for name, (reason, offset) in sorted(damaged.items())
    ]
    report_damaged(session, stage, listed)


def _without_damaged(session: Session, plan: PassPlan, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave out other shards of a file that one shard found damaged: no row of such a file is taken."""
    names = {name for record in records for name, *_ in record["damaged"]}
    kept = []
    for record, source in zip(records, plan.sources, strict=True):
        ranges = source.get("ranges", [])
        if not (len(ranges) == 1 and ranges[0][0] in names and not record["damaged"]):
            kept.append(record)
    return kept


def _collect(session: Session, stage: Stage, records: list[dict[str, Any]], seconds: list[float]) -> list[StepCounts]:
    counts = merge_counts(record["counts"] for record in records)
    while len(counts) < len(stage.steps):
        counts.append(StepCounts())
    for name, target in (("ledger", session.ledgers), ("quarantine", session.quarantines)):
        files = [FileRef.from_json(record[name]) for record in records if record[name]]
        _list_files(session, stage, target, files)
    _collect_signals(session, stage, records)
    session.quarantined += sum(sum(one.quarantined.values()) for one in counts)
    return counts


def _collect_signals(session: Session, stage: Stage, records: list[dict[str, Any]]) -> None:
    """Add up what the shards measured, and list the files of kept values."""
    for index, step in enumerate(stage.steps):
        measured = [one for record in records if (one := record.get("signals", {}).get(str(index)))]
        if measured:
            session.signals[step.id] = {"uses": step.uses, **merge_signals(measured)}
        files = [FileRef.from_json(one) for record in records if (one := record.get("values", {}).get(str(index)))]
        session.values += [{"step": step.id, "path": f"{session.store.uri}/{file.name}"} for file in files]


def _without_repeats(
    session: Session, stage: Stage, progress: StageProgress, entries: list[Entry], counts: list[StepCounts]
) -> Repeats:
    """Quarantine later documents of an id where ids come from a column."""
    if not stage.unique_ids:
        return Repeats(entries, [], [], 0)
    repeats = without_repeats(session, stage, progress, entries)
    if repeats.rows:
        counts[0].rows_out -= repeats.rows
        counts[0].quarantine(REASON, repeats.rows)
        session.quarantined += repeats.rows
    _list_files(session, stage, session.quarantines, repeats.quarantines)
    return repeats


def _list_files(session: Session, stage: Stage, target: list[dict[str, Any]], files: list[FileRef]) -> None:
    steps = [step.id for step in stage.steps]
    target += [{"step": stage.id, "steps": steps, "path": f"{session.store.uri}/{file.name}"} for file in files]


def _publish(
    session: Session, stage: Stage, plan: PassPlan, records: list[dict[str, Any]], repeats: Repeats
) -> Dataset:
    output = publish_dataset(session.store, plan.schemas[-1], repeats.entries)
    session.results[stage.id, None] = output
    first = 1 if stage.reads_files else 0
    for index, step in enumerate(stage.steps):
        if step.id in stage.removed:
            parts = [Entry(Part.from_json(record["removed"][str(index)])) for record in records]
            removed = publish_dataset(session.store, plan.schemas[index - first], parts)
            session.results[step.id, "removed"] = removed
    if stage.quarantine:
        parts = [Entry(Part.from_json(record["turned_away"])) for record in records] + repeats.turned_away
        session.results[stage.steps[0].id, "quarantine"] = publish_dataset(session.store, DOCUMENTS, parts)
    return output


def _hex(schema: pa.Schema) -> str:
    return str(schema.serialize().to_pybytes().hex())
