"""The driver's side of an export: files sized and named, encoded as units, the folder published at once, last."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from corpusmill.dataset.disk import disk, make_folders, remove_tree, write_file
from corpusmill.dataset.manifest import Entry, dataset_digest
from corpusmill.dataset.schema import describe_schema, union_schema
from corpusmill.dataset.store import make_key, write_errors
from corpusmill.errors import StoreError
from corpusmill.plan.fingerprint import build_operator, fingerprint, recipe
from corpusmill.plan.stages import Stage
from corpusmill.runner import export_folder, left_out
from corpusmill.runner.export_folder import MANIFEST, Memory, Standing, look_at, manifest_bytes
from corpusmill.runner.inputs import bound_entries
from corpusmill.runner.label_names import file_stems
from corpusmill.runner.session import Session
from corpusmill.runner.unit import Done, Unit
from corpusmill.runner.write_unit import RECORDS

DATA = "data"
_AGAIN = "is made again: the documents that it leaves out are tried once more"


def run_write_stage(session: Session, stage: Stage) -> None:
    """Write the whole input into a folder that appears at once, or find that it is there already, whole."""
    step = stage.steps[0]
    operator = build_operator(step, session.seed, session.base)
    datasets, entries = bound_entries(session, step, "documents")
    schema = union_schema([dataset.schema for dataset in datasets])
    digest = dataset_digest(schema, entries)
    target = Path(operator.path()).absolute()
    made = make_key("write", _fingerprint(session, step, operator), digest)
    staging, memory = target.with_name(f".{target.name}.{made[:12]}"), Memory(session.store, target, made)
    standing = _settled(session, made, digest, look_at(target, made, memory.looks))
    # A run that was killed right before it published leaves all files finished.
    finished = standing.facts or _settled(session, made, digest, look_at(staging, made)).facts
    files = [] if finished else list(_files(operator, entries))
    progress = session.start_stage(stage, len(files) or 1, 0 if files else 1)
    counts: dict[str, Any] | None = None
    if standing.facts is None:
        _refuse_foreign(session, target, step, standing)
        try:
            facts = finished or _build(session, stage, progress, staging, files, schema, digest, made)
            counts = left_out.judge(session, stage, made, entries, facts["files"])
            standing = _publish(session, step, staging, target, operator, schema, facts, standing)
        except StoreError:
            # A run that took over while this one was suspended may have published the very same folder.
            standing = look_at(target, made)
            if standing.facts is None:
                raise
    published = standing.facts or {}
    if counts is None:
        counts = left_out.judge(session, stage, made, entries, published["files"])
    if not session.dry:
        memory.keep(standing.looks)
        # What was replaced has the name of the staging folder when a run was killed between that and its removal.
        for leftover in (staging, export_folder.replaced(target)):
            remove_tree(leftover)
    rows = sum(one["rows"] for one in published["files"])
    session.outputs[step.id] = {
        "kind": "files",
        "digest": published["digest"],
        "path": str(target),
        "rows": rows,
        "splits": {name: split["rows"] for name, split in published["splits"].items()},
    }
    session.finish_stage(progress, None, rows, counts)


def _settled(session: Session, made: str, digest: str, standing: Standing) -> Standing:
    """Return what stands there; an export that left documents out which are tried again does not."""
    if standing.facts is None or left_out.is_settled(session, made, digest, standing.facts):
        return standing
    return Standing(ours=True, earlier=standing.facts)


def _fingerprint(session: Session, step: Any, operator: Any) -> str:
    """Return what decides the files' bytes; where they go and what they replace does not."""
    session.fingerprint(step, operator)
    parts = session.ingredients[step.id]
    parts["options"] = {name: value for name, value in parts["options"].items() if name not in ("path", "replace")}
    return fingerprint(parts)


def _refuse_foreign(session: Session, target: Path, step: Any, standing: Standing) -> None:
    """Refuse to replace what another plan or somebody else made; what this very plan made and is damaged is told."""
    if standing.ours:
        more = f" (and {len(standing.wrong) - 1} more)" if len(standing.wrong) > 1 else ""
        why = f"is damaged and is made again: {standing.wrong[0]}{more}" if standing.wrong else _AGAIN
        told = f"{step.id}: the export {str(target)!r} {why}"
        session.notices += [told] if told not in session.notices else []
        return
    if _replaces(step) or not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return
    whose = "made by another plan" if (target / MANIFEST).is_file() else "not made by corpusmill"
    raise StoreError(
        f"the folder {str(target)!r} is there already, {whose}",
        where=f"step {step.id}",
        expected="a folder that does not exist, is empty, or was made by this very plan",
        hint=f"--set {step.id}.replace=true replaces it; or choose another `path`",
    )


def _refuse_others(target: Path, found: list[str], step: Any) -> None:
    """Refuse to replace a damaged export together with what somebody put beside it or wrote into its card."""
    if found and not _replaces(step):
        raise StoreError(
            f"the export {str(target)!r} is damaged, and holds what was not exported: {', '.join(found[:3])}",
            where=f"step {step.id}",
            expected="a damaged export with nothing in it that would be lost when it is made again",
            hint=f"move that away, then run the same command; or --set {step.id}.replace=true replaces the folder",
        )


def _replaces(step: Any) -> bool:
    return bool(getattr(step.options, "replace", False))


def _files(operator: Any, entries: list[Entry]) -> Iterator[tuple[str, str | None, list[Entry]]]:
    """Yield (label, split to select, entries) of each file: whole parts in order, up to the writer's size."""
    labels = sorted({label for entry in entries for label in entry.splits}, key=_split_order)
    every: list[str | None] = [*labels] or [None]
    for label in every:
        held: list[Entry] = []
        size = 0
        any_yet = False
        for entry in entries:
            if label is not None and not entry.splits.get(label):
                continue
            held.append(entry)
            share = 1.0 if label is None else entry.splits[label] / max(1, entry.part.rows)
            size += int(entry.part.file.bytes * share)
            if size >= operator.file_bytes():
                yield label or "train", label, held
                held, size, any_yet = [], 0, True
        if held or not any_yet:
            yield label or "train", label, held


def _split_order(label: str) -> tuple[int, str]:
    known = ("train", "validation", "test")
    return (known.index(label) if label in known else len(known), label)


def _write(
    session: Session,
    stage: Stage,
    progress: Any,
    staging: Path,
    files: list[tuple[str, str | None, list[Entry]]],
    schema: pa.Schema,
    made: str,
) -> list[dict[str, Any]]:
    operator = recipe(stage.steps[0], session.seed, session.base)
    suffix = build_operator(stage.steps[0], session.seed, session.base).suffix
    totals = {label: sum(1 for other, _, _ in files if other == label) for label, _, _ in files}
    stems = file_stems(totals)
    numbers: dict[str, int] = {}
    units = []
    for label, split, entries in files:
        number = numbers.get(label, 0)
        numbers[label] = number + 1
        # A label may come from data; it never gets to say where a file goes.
        name = f"{DATA}/{stems[label]}-{number:05d}-of-{totals[label]:05d}{suffix}"
        payload = {
            "operator": operator,
            "staging": str(staging),
            "name": name,
            "label": label,
            "split": split,
            "schema": schema.serialize().to_pybytes().hex(),
            "deadlines": [stage.steps[0].limits.deadline],
            "entries": [
                [entry.part.to_json(), entry.selection.to_json() if entry.selection else None] for entry in entries
            ],
        }
        weight = sum(entry.part.file.bytes for entry in entries)
        units.append(Unit(left_out.file_key(made, name), "write", payload, weight=weight))
    left_out.try_again(session, units)
    records: list[dict[str, Any]] = []
    look = left_out.breaker_of(stage)

    def take(unit: Unit, done: Done) -> None:
        records.append(done.record)
        look(unit, done)

    session.run(stage, progress, units, take)
    return sorted(records, key=lambda record: (_split_order(record["split"]), record["name"]))


def _build(
    session: Session,
    stage: Stage,
    progress: Any,
    staging: Path,
    files: list[tuple[str, str | None, list[Entry]]],
    schema: pa.Schema,
    digest: str,
    made: str,
) -> dict[str, Any]:
    """Fill the staging folder: data, card, and last what describes them, which is returned."""
    with write_errors(str(staging)):
        for folder in () if session.dry else (staging / DATA, staging / RECORDS):
            make_folders(folder)
    records = _write(session, stage, progress, staging, files, schema, made)
    facts = _facts(session, records, schema, digest, made)
    operator = build_operator(stage.steps[0], session.seed, session.base)
    with write_errors(str(staging)):
        _describe(staging, operator, facts)
    return facts


def _facts(
    session: Session, records: list[dict[str, Any]], schema: pa.Schema, digest: str, made: str
) -> dict[str, Any]:
    splits: dict[str, dict[str, Any]] = {}
    for record in records:
        split = splits.setdefault(record["split"], {"rows": 0, "files": 0, "bytes": 0})
        split["rows"] += record["rows"]
        split["bytes"] += record["bytes"]
        split["files"] += 1
    return {
        "format": 1,
        "name": session.checked.spec.name,
        "key": made,
        "digest": left_out.content_digest(session, digest, made, records),
        "columns": dict(describe_schema(schema)),
        "splits": splits,
        "files": records,
        "sources": _sources(session),
    }


def _sources(session: Session) -> list[str]:
    """Return the paths that the spec's readers read, as they stand in it."""
    named: list[str] = []
    for step in session.checked.steps:
        if step.kind == "read":
            paths = step.options.model_dump()["paths"]
            named += [paths] if isinstance(paths, str) else paths
    return [session.checked.spec.redact(path) for path in named]


def _describe(staging: Path, operator: Any, facts: dict[str, Any]) -> None:
    """Write the card and, last, the manifest: where that is whole, all is, and nothing is written again.

    (A card that was made from the manifest would have its columns in another order: canonical JSON sorts them.)
    """
    for name, data in operator.card(facts).items():
        write_file(staging / name, data)
    disk().sync_folder(staging)
    write_file(staging / MANIFEST, manifest_bytes(facts))


def _publish(
    session: Session,
    step: Any,
    staging: Path,
    target: Path,
    operator: Any,
    schema: pa.Schema,
    facts: dict[str, Any],
    standing: Standing,
) -> Standing:
    """Put the finished folder into place; return what stands there then. Nothing is moved when a run is foreseen."""
    data = [one["name"] for one in facts["files"]]
    looks = export_folder.looks_of(staging, facts["files"])
    if not session.dry:
        with write_errors(str(target)):
            if standing.ours:
                own = [MANIFEST, *data, *_own_card(target, operator, schema, standing)]
                _refuse_others(target, export_folder.others(target, staging, own), step)
            export_folder.publish(staging, target, [MANIFEST, *operator.card(facts), *data])
    return Standing(facts, True, (), looks)


def _own_card(target: Path, operator: Any, schema: pa.Schema, standing: Standing) -> list[str]:
    """Return the files of the card of a whole export that are still as they were made: nothing is lost with these."""
    if standing.earlier is None:
        return []
    labels = sorted(standing.earlier["splits"], key=_split_order)
    splits = {label: standing.earlier["splits"][label] for label in labels}
    card = operator.card({**standing.earlier, "columns": dict(describe_schema(schema)), "splits": splits})
    return [name for name, data in card.items() if (target / name).is_file() and (target / name).read_bytes() == data]
