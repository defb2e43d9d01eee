"""The trace of one document through a run: from ledgers and datasets, or with a replay that measures again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from corpusmill.errors import StoreError, UsageError
from corpusmill.runner.decision import Fate, StepDecision, TokenPlace
from corpusmill.runner.records import RunRecord, sources
from corpusmill.runner.search import (
    SHORTEST_PREFIX,
    Removal,
    Wanted,
    find_kept,
    find_quarantined,
    find_removals,
    parse_document,
)

Replay = Callable[[RunRecord, str], Sequence[StepDecision]]
"""Runs the steps of a run again on one document (its id) and returns each step's decision with measured values."""

_DOCUMENT_KINDS = {"read", "clean", "filter", "annotate", "augment", "split", "dedup", "mix"}


@dataclass(frozen=True)
class Located:
    """A document as a run knows it: who it is, how it ended (kept, removed or quarantined) and at which step.

    `removal`: the row of the ledger or the quarantine that took it out. `found_in`: the datasets it stands in.
    """

    id: str
    file: str | None
    offset: int | None
    outcome: str
    target: str
    removal: Removal | None
    found_in: tuple[str, ...]


def locate(record: RunRecord, document: str) -> Located:
    """Find one document by its id, the start of one, or FILE@OFFSET, in datasets, ledgers and quarantines.

    Raises UsageError when no document fits, or several do.
    """
    record.expect_ended()
    for wanted in parse_document(document):
        removals, kept = find_removals(record, wanted), find_kept(record, wanted)
        if not removals and not _last_datasets(record) & set(kept):
            removals = find_quarantined(record, wanted)
        if removals or kept:
            break
    identity = _one(record, document, wanted, removals, kept)
    removal = next((one for one in reversed(removals) if one.id == identity["id"]), None)
    steps = [step for step, rows in kept.items() if any(row.get("id") == identity["id"] for row in rows)]
    if steps and (removal is None or _last_datasets(record) & set(steps)):
        return Located(**identity, outcome="kept", target=steps[-1], removal=None, found_in=tuple(steps))
    assert removal is not None  # _one found it in one of the two
    return Located(**identity, outcome=removal.verdict, target=removal.step, removal=removal, found_in=tuple(steps))


def trace(record: RunRecord, document: str, replay: Replay | None = None) -> Fate:
    """Return what a run did with one document, given as an id, the start of one, or FILE@OFFSET.

    Steps before the last one are `unknown` in their values unless `replay` measures them again. Raises UsageError
    when no document fits, or several do.
    """
    found = locate(record, document)
    decisions = _passed(record, found.target, set(found.found_in), included=found.removal is None)
    if found.removal is not None:
        decisions.append(_removed(record, found.removal))
    if replay is not None:
        decisions = _merged(decisions, replay(record, found.id))
    tokens = tuple(_tokens(record, found.id)) if found.outcome == "kept" else ()
    decisions += _left_out(record, found) if found.outcome == "kept" else []
    return Fate(found.id, found.file, found.offset, found.outcome, tuple(decisions), found.found_in, tokens)


def _left_out(record: RunRecord, found: Located) -> list[StepDecision]:
    """Return what steps that make tokens and files say of a document they left out; datasets have it all the same."""
    kinds = ("tokens.", "write.")
    steps = {name for name, step in _steps(record.plan).items() if str(step.get("uses", "")).startswith(kinds)}
    if not any(entry.get("step") in steps for entry in record.outputs.get("quarantines") or ()):
        return []
    return [_removed(record, one) for one in find_quarantined(record, Wanted(found.id)) if one.step in steps]


def _tokens(record: RunRecord, document: str) -> Sequence[TokenPlace]:
    """Return the document's places in token sets; none where one is gone, for the way is known without them."""
    from corpusmill.runner.token_places import token_places

    try:
        return token_places(record, document)
    except StoreError:
        return ()


def _one(
    record: RunRecord, document: str, wanted: Wanted, removals: list[Removal], kept: Mapping[str, list[dict[str, Any]]]
) -> dict[str, Any]:
    found = {one.id: {"id": one.id, "file": one.file, "offset": one.offset} for one in removals}
    for rows in kept.values():
        found.update(
            {
                str(row["id"]): {"id": str(row["id"]), "file": row.get("file"), "offset": row.get("offset")}
                for row in rows
            }
        )
    if len(found) == 1 or (wanted.prefix in found):
        return found[wanted.prefix] if wanted.prefix in found else next(iter(found.values()))
    if found:
        raise UsageError(
            f"{document!r} fits {len(found)} documents",
            where=str(record.folder),
            expected="one of " + ", ".join(sorted(found)[:5]),
            hint="give more of the id",
        )
    if wanted.whole and "@" not in document:
        raise UsageError(
            f"{document!r} does not name a document",
            where=str(record.folder),
            expected=f"an id, at least its first {SHORTEST_PREFIX} characters, or FILE@OFFSET",
            hint=f"`corpusmill show run:{record.name}@{record.timestamp}/STEP{record.place}` lists ids",
        )
    raise UsageError(
        f"no document {document!r} in run {record.name!r} ({record.timestamp}, {record.status})",
        where=str(record.folder),
        expected="the id of a document it removed or kept, or FILE@OFFSET as the ledger names files",
        hint=f"`corpusmill show run:{record.name}@{record.timestamp}/STEP{record.place}` lists ids",
    )


def _last_datasets(record: RunRecord) -> set[str]:
    """Return the steps whose datasets no other documents step reads: the ends of the run."""
    steps = _steps(record.plan)
    fed = {source for one in steps.values() for source in sources(one) or ()}
    made = list(record.datasets)
    if any(sources(one) is not None for one in steps.values()):
        return {step for step in made if step not in fed} or set(made[-1:])
    return set(made[-1:])


def _passed(record: RunRecord, target: str, found_in: set[str], *, included: bool) -> list[StepDecision]:
    """Return the document steps a document surely passed on its way to `target`, first to last.

    Backwards from the target while there is one way; at a union the way goes on only through a dataset the
    document was found in. Without `needs` in the plan, only the steps of the target's own pass are sure.
    """
    steps = _steps(record.plan)
    way = [target] if included else []
    if target in steps and sources(steps[target]) is None:
        stage = next(s for s in record.plan["stages"] if any(one["id"] == target for one in s["steps"]))
        names = [str(one["id"]) for one in stage["steps"]]
        way = way + names[: names.index(target)][::-1]
    at: str | None = target
    while at in steps and (at := _parent(steps, str(at), found_in)) is not None:
        way.append(at)
    return [StepDecision(name, str(steps.get(name, {}).get("uses", "")), "unknown") for name in reversed(way)]


def _parent(steps: Mapping[str, Mapping[str, Any]], step: str, found_in: set[str]) -> str | None:
    before = [one for one in sources(steps[step]) or () if one in steps and _is_documents(steps[one])]
    if len(before) > 1:
        before = [one for one in before if one in found_in]
    return before[0] if len(before) == 1 else None


def _removed(record: RunRecord, one: Removal) -> StepDecision:
    uses = str(_steps(record.plan).get(one.step, {}).get("uses", ""))
    return StepDecision(one.step, uses, one.verdict, one.rule, one.value, one.threshold, one.detail, one.other)


def _merged(known: list[StepDecision], replayed: Sequence[StepDecision]) -> list[StepDecision]:
    """Take what was measured again; the ledger keeps the last word on what removed the document."""
    if not replayed:
        return known
    last = known[-1] if known and known[-1].verdict in ("removed", "quarantined") else None
    merged = [
        StepDecision(**{**one.__dict__, **{k: v for k, v in last.__dict__.items() if v not in (None, ())}})
        if last is not None and one.step == last.step
        else one
        for one in replayed
    ]
    return merged if last is None or any(one.step == last.step for one in merged) else [*merged, last]


def _steps(plan: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {str(step["id"]): step for stage in plan.get("stages", []) for step in stage.get("steps", [])}


def _is_documents(step: Mapping[str, Any]) -> bool:
    return str(step.get("uses", "")).partition(".")[0] in _DOCUMENT_KINDS
