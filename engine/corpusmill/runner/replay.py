"""A replay: the steps of a finished run, run again on one document, with every measured value and threshold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from corpusmill.dataset.manifest import Dataset, Entry
from corpusmill.dataset.schema import conform, union_schema
from corpusmill.errors import CorpusmillError, InputError
from corpusmill.plugin.identity import code_identity
from corpusmill.runner.applied import APPLY
from corpusmill.runner.chunk import Chunk
from corpusmill.runner.decision import StepDecision
from corpusmill.runner.inputs import narrowed
from corpusmill.runner.recorded_options import known_secrets, recorded_options
from corpusmill.runner.records import RunRecord
from corpusmill.runner.replay_origins import Origins, sketch_print
from corpusmill.runner.replay_route import Leg, Route
from corpusmill.runner.replay_segments import replayed_cuts
from corpusmill.runner.replay_sources import differing_columns, file_row
from corpusmill.runner.replay_steps import replay_step
from corpusmill.runner.search import count_duplicates
from corpusmill.runner.trace import Located, locate
from corpusmill.runner.workspace import Workspace
from corpusmill.spec.secrets import redact_values

_CHANGED = "input, plugins or models changed since"


def replay(record: RunRecord, document_id: str) -> list[StepDecision]:
    """Return each step's decision on a document, measured again on a batch of that one row.

    The pass is rebuilt from the run's own plan (operators, options, seed, plugin files). What cannot be measured
    again (input gone or changed, an operator that raises) is `unknown` with a note; a result that differs from what
    the run recorded says so. A step that failed on the document is not asked again: it may end this process, too.
    Raises UsageError when the run knows no such document.
    """
    return _Replay(record, locate(record, document_id)).decisions()


def judged_texts(record: RunRecord, documents: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Return (id, step) -> the text that a step judged, for documents it removed or kept; unreadable ones are left out.

    Each document is read from its source (or the stage before) and taken through the steps before that one.
    """
    texts, workspace = {}, None
    for document, step in documents:
        try:
            one = _Replay(record, locate(record, document), workspace)
            workspace = one.workspace
            text = one.text_before(step)
        except Exception:  # noqa: S112 - an operator may raise anything; a sample that cannot be had is left out
            continue
        if text is not None:
            texts[document, step] = text
    return texts


def measured_again(record: RunRecord, step: str, digest: str, rows: int) -> Iterator[pa.Table]:
    """Yield id, place, text and every signal of the first `rows` documents of a dataset, measured by a filter."""
    one = _Replay(record, Located("", None, None, "kept", step, None, ()))
    planned = next(each for stage in record.plan["stages"] for each in stage["steps"] if each["id"] == step)
    operator = one.workspace.operator(one.recipe(planned))
    names = dict.fromkeys(("id", "file", "offset", "split", operator.column, *operator.reads()))
    dataset = Dataset.open(one.workspace.store, digest)
    for batch in dataset.batches([name for name in names if name in dataset.schema.names]):
        batch = batch.slice(0, rows)
        verdicts = APPLY["filter"](operator, Chunk(batch, np.arange(batch.num_rows))).verdicts
        columns = {name: batch.column(name) for name in ("id", "file", "offset") if name in batch.schema.names}
        signals = (verdicts.signals if verdicts is not None else None) or {}
        yield pa.table({**signals, **columns, "text": batch.column(operator.column)})
        rows -= batch.num_rows
        if rows <= 0:
            return


class _Replay:
    def __init__(self, record: RunRecord, located: Located, workspace: Workspace | None = None):
        self._record, self._located, self._given = record, located, workspace
        self._route = Route(record, located)

    def decisions(self) -> list[StepDecision]:
        """Return the decisions of all legs in order."""
        secrets = known_secrets(self._record.plan)
        return [_concealed(decision, secrets) for leg in self._route.legs() for decision in self._leg(leg)]

    @cached_property
    def workspace(self) -> Workspace:
        """Where operators are built; that of another document of the same run keeps those it has."""
        if self._given is not None:
            return self._given
        store = self._route.store
        plugins = self._record.plan.get("plugins") or []
        return Workspace({"store": store.uri, "scratch": str(store.storage.scratch()), "plugins": plugins})

    def text_before(self, step: str) -> str | None:
        """Return the document's text as it came to a step on its way; None where that step is not on it."""
        leg = next((leg for leg in self._route.legs() if any(one["id"] == step for one in leg.steps)), None)
        if leg is None or (leg.row is None and not leg.reads_files):
            return None
        steps = leg.steps[: [one["id"] for one in leg.steps].index(step) + 1]
        row = self._read(leg) if leg.reads_files else leg.row if leg.kind == "dedup" else self._with_union_columns(leg)
        for one in steps[1 if leg.reads_files else 0 : -1]:
            operator = self.workspace.operator(self.recipe(one))
            row = replay_step(operator, str(one["id"]), str(one["uses"]), row, leg.document).row
            if row is None:
                return None
        text = row.column(str(steps[-1]["column"]))[0].as_py()
        return text if isinstance(text, str) else None

    def _leg(self, leg: Leg) -> list[StepDecision]:
        if leg.kind == "dedup":
            return [self._dedup(leg)]
        if leg.kind != "pass":
            return _unknown(leg, 0, None)
        if leg.row is None and not leg.reads_files:
            return _unknown(leg, 0, "its row before this step was not found")
        decisions: list[StepDecision] = []
        try:
            row = self._pass(leg, decisions)
        except CorpusmillError as error:
            return [*decisions, *_unknown(leg, len(decisions), f"not measured again: {error.what}")]
        except Exception as error:
            note = f"not measured again: it raised {type(error).__name__}: {error}"
            return [*decisions, *_unknown(leg, len(decisions), note)]
        return self._compared(leg, decisions, row)

    def _pass(self, leg: Leg, decisions: list[StepDecision]) -> Any:
        """Append the decision of every step; return the row that is left, or None."""
        if leg.reads_files and leg.verdict == "quarantined" and len(leg.steps) == 1:
            decisions.append(_at(leg, 0, "quarantined"))
            return None
        row = self._read(leg) if leg.reads_files else self._with_union_columns(leg)
        if leg.reads_files:
            decisions.append(_at(leg, 0, "kept"))
        for step in leg.steps[len(decisions) :]:
            if leg.verdict == "quarantined" and step is leg.steps[-1]:
                # What it did to the run's worker (die, hang), it would do to this process.
                decisions.append(_at(leg, len(decisions), "quarantined"))
                return None
            operator = self.workspace.operator(self.recipe(step))
            done = replay_step(operator, str(step["id"]), str(step["uses"]), row, leg.document)
            decisions.append(replace(done.decision, note=self._other_code(step, operator)))
            row = done.row
            if row is None:
                return None
        return row

    def _read(self, leg: Leg) -> Any:
        recipe = self.recipe(leg.steps[0])
        reader = self.workspace.operator(recipe)
        file, offset = self._located.file, self._located.offset
        if file is None or offset is None:
            raise InputError("the run recorded no place of this document")
        return file_row(reader, recipe, self.workspace.store, file, offset)

    def _with_union_columns(self, leg: Leg) -> Any:
        """Give the row the columns of the union it came in with."""
        references = (leg.steps[0].get("needs") or {}).get("documents", [])
        bounds = [bound for reference in references if (bound := self._route.bound(str(reference))) is not None]
        schemas = [Dataset.open(self._route.store, bound.digest).schema for bound in bounds]
        return conform(leg.row, union_schema(schemas))

    def recipe(self, step: Mapping[str, Any]) -> dict[str, Any]:
        """Return what builds the operator of a step as the run did."""
        plan = self._record.plan
        recipe: dict[str, Any] = {
            "uses": step["uses"],
            "options": recorded_options(plan, step),
            "column": step["column"],
            "step": step["id"],
            "seed": plan["seed"],
            "base": plan["base"],
            "device": "cpu",
        }
        if state := self._ingredients(step).get("state"):
            recipe["state"] = state
        needs = step.get("needs") or {}
        bound = {port: self._route.bound(str(refs[0])) for port, refs in needs.items() if port != "documents" and refs}
        if artifacts := {port: one.digest for port, one in bound.items() if one is not None}:
            recipe["artifacts"] = artifacts
        return recipe

    def _ingredients(self, step: Mapping[str, Any]) -> Mapping[str, Any]:
        known = self._record.outputs.get("ingredients") or {}
        return dict(known.get(step["id"]) or {})

    def _other_code(self, step: Mapping[str, Any], operator: Any) -> str | None:
        """Say when the operator is not the one that the run used."""
        then = self._ingredients(step).get("code")
        now = code_identity(self.workspace.registry.lookup(str(step["uses"])), type(operator))
        return None if then is None or then == now else f"measured by {now}; the run used {then}"

    def _dedup(self, leg: Leg) -> StepDecision:
        step = leg.steps[0]
        if f"{step['id']}.cuts" in (self._record.outputs.get("outputs") or {}):
            return replayed_cuts(self._record, self._route.store, leg, lambda: self._origins(step))
        if leg.verdict != "kept":
            return _at(leg, 0, leg.verdict)
        number = count_duplicates(self._record, str(step["id"]), leg.document)
        told = f"{number} duplicate{'s' if number > 1 else ''} of it removed" if number else None
        return replace(_at(leg, 0, "kept"), detail=told)

    def _origins(self, step: Mapping[str, Any]) -> Origins:
        """Return the sketches that a deduplicator of segments left in this run."""
        operator = self.workspace.operator({**self.recipe(step), "artifacts": {}})
        by_port: dict[str, list[Entry]] = {"against": [], "documents": []}
        for port, entries in by_port.items():
            for reference in step["needs"].get(port, ()):
                bound = self._route.bound(str(reference))
                if bound is None:
                    raise InputError(f"the output {reference} is not recorded")
                found = Dataset.open(self._route.store, bound.digest).entries
                entries += (
                    found if bound.split is None else [narrowed(self._route.store, one, bound.split) for one in found]
                )
        code = str(self._ingredients(step)["code"])
        earlier = len(by_port["against"])
        return Origins(
            self._route.store,
            operator,
            [*by_port["against"], *by_port["documents"]],
            earlier,
            sketch_print(step, operator, code),
        )

    def _compared(self, leg: Leg, decisions: list[StepDecision], row: Any) -> list[StepDecision]:
        """Hold the replay against what the run recorded; where they differ, say so instead of guessing."""
        last, whole = decisions[-1], len(decisions) == len(leg.steps)
        if leg.verdict == "kept" and row is None:
            note = f"the run kept it here: {_CHANGED}"
        elif leg.verdict != "kept" and (not whole or last.verdict != leg.verdict):
            note = f"the run says {leg.verdict} at {leg.steps[-1]['id']}: {_CHANGED}"
        elif leg.verdict != "kept" or leg.after is None:
            return decisions
        else:
            differing = differing_columns(row, leg.after, leg.after.schema.names)
            if not differing:
                return decisions
            note = f"the run published another {', '.join(differing)}: {_CHANGED}"
        return [*decisions[:-1], replace(last, note=note), *_unknown(leg, len(decisions), None)]


def _concealed(decision: StepDecision, secrets: Mapping[str, str]) -> StepDecision:
    """Hide secrets where words may quote an option."""
    if not secrets:
        return decision
    words = {name: redact_values(getattr(decision, name), secrets) for name in ("rule", "detail", "note")}
    signals = tuple(replace(one, name=redact_values(one.name, secrets)) for one in decision.signals)
    return replace(decision, signals=signals, **words)


def _at(leg: Leg, place: int, verdict: str) -> StepDecision:
    return StepDecision(str(leg.steps[place]["id"]), str(leg.steps[place]["uses"]), verdict)


def _unknown(leg: Leg, start: int, note: str | None) -> list[StepDecision]:
    """Return the steps from `start` on as not measured, the note at the first of them."""
    rest = [_at(leg, place, "unknown") for place in range(start, len(leg.steps))]
    return [replace(rest[0], note=note), *rest[1:]] if rest else []
