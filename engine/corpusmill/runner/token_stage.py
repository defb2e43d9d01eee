"""The driver's side of packing: encode part by part, plan windows, publish the token set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from corpusmill.dataset.artifact import Artifact, artifact_folder
from corpusmill.dataset.manifest import Entry
from corpusmill.dataset.store import FileRef, make_key
from corpusmill.ledger.counts import StepCounts
from corpusmill.plan.checked import CheckedStep
from corpusmill.plan.fingerprint import build_operator, recipe
from corpusmill.plan.stages import Stage
from corpusmill.runner.inputs import bound_entries
from corpusmill.runner.limits import check_limits
from corpusmill.runner.missing import run_missing
from corpusmill.runner.references import resolve_reference
from corpusmill.runner.session import Session, count_row
from corpusmill.runner.tokens import TokenPart, TokenSet, TokenSplit
from corpusmill.runner.unit import Unit


def run_token_stage(session: Session, stage: Stage) -> None:
    """Tokenise all documents and plan their windows; unchanged parts keep their tokens."""
    step = stage.steps[0]
    operator = build_operator(step, session.seed, session.base)
    tokenizer = resolve_reference(step.inputs["tokenizer"][0], session.results, session.store)
    assert isinstance(tokenizer, Artifact)
    _, entries = bound_entries(session, step, "documents")
    add_end = bool(getattr(step.options, "add_end", True))
    batch_bytes = session.checked.spec.run.batch_bytes
    units = [_encode_unit(entry, step, tokenizer.digest, batch_bytes, add_end) for entry in entries]
    progress = session.start_stage(stage, len(units) + 1, 0)
    records = run_missing(session, stage, progress, units, _files)
    counts = _counts(session, stage, entries, [records[unit.key] for unit in units])
    parts = [TokenPart.from_json(records[unit.key]["part"]) for unit in units]
    made = session.fingerprint(step, operator)
    payload = {"operator": recipe(step, session.seed, session.base), "parts": [part.to_json() for part in parts]}
    plan = Unit(make_key("windows", made, [part.digest for part in parts]), "windows", payload)
    splits = run_missing(session, stage, progress, [plan], _files)[plan.key]["splits"]
    output = TokenSet.publish(
        session.store,
        operator.window(),
        _vocabulary_size(session, tokenizer),
        tokenizer.digest,
        parts,
        {label: TokenSplit.from_json(split) for label, split in splits.items()},
    )
    session.results[step.id, None] = output
    session.finish_stage(progress, output, sum(part.rows for part in parts), counts)


def _encode_unit(entry: Entry, step: CheckedStep, tokenizer: str, batch_bytes: int, add_end: bool) -> Unit:
    selection = entry.selection.to_json() if entry.selection else None
    payload = {
        "part": entry.part.to_json(),
        "selection": selection,
        "split": None,
        "encoder": {
            "uses": step.uses,
            "step": step.id,
            "tokenizer": tokenizer,
            "column": step.column,
            "add_end": add_end,
        },
        "deadlines": [step.limits.deadline],
        "batch_bytes": batch_bytes,
    }
    key = make_key("encode", tokenizer, step.column, add_end, entry.identity())
    return Unit(key, "encode", payload, weight=entry.part.file.bytes)


def _counts(
    session: Session, stage: Stage, entries: Sequence[Entry], records: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the counts of a step that left documents out, and list them; raises BadRecordLimit for too many.

    Otherwise nothing: tokens are no documents, and all that came in have theirs.
    """
    if not any("failed" in record for record in records):
        return {}
    (step,) = stage.steps
    encoded = sum(TokenPart.from_json(record["part"]).rows for record in records)
    counts = StepCounts(sum(entry.rows for entry in entries), encoded)
    for record in records:
        for reason, rows in record.get("failed", {}).items():
            counts.quarantine(reason, rows)
    counts.check(step.id)
    session.list_quarantine(stage, counts, [record["quarantine"] for record in records if "quarantine" in record])
    check_limits(session, stage, [counts])
    return {step.id: count_row(step, counts, 0.0)}


def _files(record: dict[str, Any]) -> list[FileRef]:
    if "part" in record:
        left_out = [FileRef.from_json(record["quarantine"])] if "quarantine" in record else []
        return [TokenPart.from_json(record["part"]).file, *left_out]
    return [TokenSplit.from_json(split).file for split in record["splits"].values()]


def _vocabulary_size(session: Session, tokenizer: Artifact) -> int:
    from tokenizers import Tokenizer

    path = artifact_folder(session.store, tokenizer) / "tokenizer.json"
    return int(Tokenizer.from_file(str(path)).get_vocab_size())
