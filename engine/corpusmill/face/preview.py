"""A preview: a spec up to one step on a sample, and what that step does to each document; the store is not touched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from corpusmill.dataset.artifact import Artifact
from corpusmill.dataset.manifest import Dataset, entry_rows
from corpusmill.dataset.schema import union_schema
from corpusmill.dataset.store import Store
from corpusmill.errors import UsageError, nearest
from corpusmill.face.chosen import DOCUMENT_KINDS
from corpusmill.face.deduplication import fates
from corpusmill.face.sample import Sample, sample_reader
from corpusmill.face.trial import Announce, Passed, Trial, Tried, single_rows, try_rows, unannounced, who
from corpusmill.face.workbench import Workbench
from corpusmill.ledger.quarantine import DOCUMENTS, as_documents
from corpusmill.ledger.quarantine import SCHEMA as QUARANTINE
from corpusmill.plan.build import ancestors, build_stages
from corpusmill.plan.checked import CheckedSpec, CheckedStep
from corpusmill.plan.fingerprint import build_operator
from corpusmill.plan.stages import Stage
from corpusmill.plugin.reader import ReadLimits
from corpusmill.runner.decision import StepDecision
from corpusmill.runner.driver import DEFAULT_STORE, RUNNERS
from corpusmill.runner.inputs import bound_entries
from corpusmill.runner.pass_stage import plan_pass
from corpusmill.runner.references import open_output, pinned
from corpusmill.runner.session import Session
from corpusmill.runner.workspace import Workspace
from corpusmill.spec.model import Ref


def preview(
    checked: CheckedSpec,
    step: str,
    *,
    rows: int = 20,
    store: str | None = None,
    announce: Announce = unannounced,
) -> Trial:
    """Run a checked spec up to a step on at most `rows` documents of each input, in a temporary store.

    Steps that it does not need are left out. `store`: where `run:` and `store:` references are looked up; it is only
    read. `announce` is called before the operator of the step is. Raises UsageError for a step that is not there or
    makes something else than documents, and whatever stops a step on the way.
    """
    target = next((one for one in checked.steps if one.id == step), None)
    if target is None:
        known = [one.id for one in checked.steps]
        near = nearest(step, known)
        hint = f"did you mean {near!r}?" if near else None
        raise UsageError(f"no step {step!r}", where=checked.spec.path, expected=f"one of {', '.join(known)}", hint=hint)
    if target.kind not in ("read", *DOCUMENT_KINDS):
        before = [ref.step for refs in target.inputs.values() for ref in refs if ref.step]
        raise UsageError(
            f"step {step!r} ({target.uses}) makes {target.operator.output}; a preview shows documents",
            expected=f"a step of a kind among read, {', '.join(DOCUMENT_KINDS)}",
            hint=f"corpusmill preview {checked.spec.path or 'SPEC'} {before[0]}" if before else None,
        )
    needed = replace(checked, steps=tuple(ancestors(checked, step)))
    with Workbench() as bench:
        return _Preview(bench, needed, target, rows, store or checked.spec.store or DEFAULT_STORE, announce).look()


class _Preview:
    def __init__(
        self, bench: Workbench, checked: CheckedSpec, target: CheckedStep, rows: int, store: str, announce: Announce
    ):
        self._bench, self._target, self._rows, self._source = bench, target, rows, store
        self._announce = announce
        foreign = any(not ref.local for step in checked.steps for refs in step.inputs.values() for ref in refs)
        self._checked = pinned(checked, Store(store)) if foreign else checked
        self._samples: dict[str, Sample] = {}
        self._digests: dict[tuple[str | None, str | None], str] = {}
        """(reader, output) or (None, digest elsewhere) -> the dataset of the bench that stands for it."""

    def look(self) -> Trial:
        """Sample the inputs, run the steps before the one that is looked at, then that one by document."""
        readers = [step for step in self._checked.steps if step.kind == "read"]
        for reader in readers:
            self._sample(reader)
        if self._target.kind == "read":
            return self._read()
        session = self._bench.session(self._sampled())
        target = session.checked.step(self._target.id)
        for stage in build_stages(session.checked):
            if stage.id == target.id:
                tried = self._dedup(session, stage) if target.kind == "dedup" else self._rowwise(session, stage)
                return self._told(tried, session.counts)
            RUNNERS[stage.kind](session, stage)
        raise AssertionError("the step that is looked at is the last one")

    def _sample(self, step: CheckedStep) -> None:
        """Read the first rows of a reader's input and make them datasets of the bench."""
        self._announce(step.uses, None)
        reader = build_operator(step, self._checked.spec.seed, self._checked.spec.base)
        reader.setup()
        sample = sample_reader(reader, self._rows, ReadLimits.of(step.limits))
        self._samples[step.id] = sample
        self._digests[step.id, None] = self._bench.publish(sample.table.to_batches(), sample.table.schema).digest
        bad = as_documents(pa.Table.from_pylist(list(sample.rejected), schema=QUARANTINE))
        self._digests[step.id, "quarantine"] = self._bench.publish(bad.to_batches(), DOCUMENTS).digest

    def _sampled(self) -> CheckedSpec:
        """Return the spec without its readers, bound to the samples.

        The steps that the target takes end a stage of their own, so that their output is there to be looked at. No
        share of bad records is too high for a sample.
        """
        wanted = {ref.step for refs in self._target.inputs.values() for ref in refs}
        steps = []
        for step in self._checked.steps:
            if step.kind == "read":
                continue
            inputs = {port: tuple(self._bound(ref) for ref in refs) for port, refs in step.inputs.items()}
            limits = replace(step.limits, max_bad_fraction=1.0, max_bad_records=None)
            steps.append(replace(step, inputs=inputs, limits=limits, keep=step.keep or step.id in wanted))
        return replace(self._checked, steps=tuple(steps))

    def _bound(self, ref: Ref) -> Ref:
        """Return what a reference means on the bench: a step, or the sample of a reader or of a dataset elsewhere."""
        if ref.local:
            digest = self._digests.get((ref.step, ref.output))
            return ref if digest is None else replace(ref, step=None, output=None, store=digest)
        assert ref.store is not None, "references to runs are pinned"
        key = (None, f"{ref.store}.{ref.split}")
        if key not in self._digests:
            self._digests[key] = self._borrowed(ref.store, ref.split)
        return replace(ref, store=self._digests[key])

    def _borrowed(self, digest: str, split: str | None) -> str:
        source = Store(self._source)
        found = open_output(source, digest)
        if isinstance(found, Artifact):
            self._bench.borrow(source, found)
            return digest
        if not isinstance(found, Dataset):
            raise UsageError(f"a preview cannot take the tokens {digest!r} of another run", expected="documents")
        taken, left = [], self._rows
        for batch in found.batches(split=split):
            taken.append(batch.slice(0, left))
            left -= taken[-1].num_rows
            if left <= 0:
                break
        return self._bench.publish(taken, found.schema).digest

    def _reaching(self, session: Session) -> pa.Table:
        """Return the documents that reach the step."""
        datasets, entries = bound_entries(session, session.checked.step(self._target.id), "documents")
        schema = union_schema([dataset.schema for dataset in datasets])
        batches = [batch for entry in entries for batch in entry_rows(session.store, entry, schema)]
        return pa.Table.from_batches(batches, schema=schema)

    def _rowwise(self, session: Session, stage: Stage) -> Sequence[Tried]:
        self._announce(stage.steps[0].uses, None)
        recipe = plan_pass(session, stage).recipes[0]
        operator = Workspace(session.settings).operator(recipe)
        return try_rows(operator, stage.steps[0].uses, self._reaching(session), self._checked.local, self._announce)

    def _dedup(self, session: Session, stage: Stage) -> Sequence[Tried]:
        step = stage.steps[0]
        self._announce(step.uses, None)
        operator = build_operator(step, session.seed, session.base)
        operator.setup()
        alone = try_rows(operator, step.uses, self._reaching(session), self._checked.local, self._announce)
        if any(one.failure is not None for one in alone):
            return alone  # with documents that it fails on there is no deciding among the others
        RUNNERS["dedup"](session, stage)
        return fates(session, step, alone)

    def _read(self) -> Trial:
        step, table = self._target, self._samples[self._target.id].table
        decision = StepDecision(step.id, step.uses, "kept")
        return self._told([who(at, row, "text", decision) for at, row in enumerate(single_rows(table))], {})

    def _told(self, tried: Sequence[Tried], counts: Mapping[str, Any]) -> Trial:
        samples = self._samples
        before = [
            Passed(one.id, one.uses, counts.get(one.id) or _read_counts(samples[one.id]))
            for one in self._checked.steps
            if one.id != self._target.id and (one.id in counts or one.id in samples)
        ]
        return Trial(
            step=self._target.id,
            uses=self._target.uses,
            tried=tuple(tried),
            before=tuple(before),
            rejected=tuple(one for sample in samples.values() for one in sample.rejected),
            damaged=tuple(one for sample in samples.values() for one in sample.damaged),
        )


def _read_counts(sample: Sample) -> dict[str, Any]:
    rows, turned_away = sample.table.num_rows, len(sample.rejected)
    reasons: dict[str, int] = {}
    for one in sample.rejected:
        reasons[one["reason"]] = reasons.get(one["reason"], 0) + 1
    return {"in": rows + turned_away, "out": rows, "quarantined": reasons}
