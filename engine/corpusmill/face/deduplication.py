"""Deduplication of rows at hand: the engine's own stage over a temporary store, so that results are those of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from corpusmill.dataset.manifest import Dataset
from corpusmill.errors import OperatorError, UsageError
from corpusmill.face.applied import Deduplicated, Verdict
from corpusmill.face.chosen import Chosen
from corpusmill.face.rows import with_engine_columns, without_engine_columns
from corpusmill.face.trial import Tried
from corpusmill.face.workbench import Workbench
from corpusmill.plan.checked import CheckedSpec, CheckedStep
from corpusmill.plan.stages import Stage
from corpusmill.plugin.finder import load_registry
from corpusmill.runner.driver import RUNNERS
from corpusmill.runner.session import Session
from corpusmill.spec.model import Limits, Ref, Spec


def deduplicated(chosen: Chosen, options: Any, table: pa.Table, column: str, seed: int) -> Deduplicated:
    """Return which rows a deduplicator removes, and for which other row each."""
    if chosen.registered is None:
        raise UsageError(
            f"{chosen.operator.__name__} is not registered, so the engine cannot find it",
            expected="a deduplicator by its name, or the plugin file that registers it",
        )
    # Ids by number, whatever the table's own are: they lead back to the rows.
    own = table.drop_columns([name for name in ("id",) if name in table.column_names])
    full = with_engine_columns(own)
    with Workbench() as bench:
        given = bench.publish(full.to_batches(), full.schema)
        step = checked_step(chosen, options, column, given.digest)
        spec = Spec("apply", seed=seed, base=Path.cwd())
        session = bench.session(CheckedSpec(spec, (step,), load_registry(chosen.local), chosen.local), isolated=False)
        RUNNERS["dedup"](session, Stage("dedup", (step,), ""))
        left = _left(session, step)
        numbers = {one: number for number, one in enumerate(full.column("id").to_pylist())}
        _expect_sketches(session, step, numbers)
        verdicts = [Verdict(True)] * table.num_rows
        for one, row in _removed(session, left).items():
            verdicts[numbers[one]] = _verdict(row, numbers)
    rows = np.array([numbers[one] for one in left.column("id").to_pylist()], np.int64)
    kept = without_engine_columns(left, own.column_names)
    if "id" in table.column_names:
        kept = kept.append_column("id", table.column("id").take(pa.array(rows)))
    return Deduplicated(chosen.uses, table.num_rows, _ordered(kept, table), rows, column, verdicts)


def _expect_sketches(session: Session, step: CheckedStep, numbers: Mapping[str, int]) -> None:
    """Raise OperatorError where the deduplicator raised on a row; a run would go on without it."""
    for quarantine in session.quarantines:
        with pa.memory_map(quarantine["path"]) as source:
            bad = pa.ipc.open_file(source).read_all().to_pylist()[0]
        raise OperatorError(
            f"{step.uses} {bad['reason']}: {bad['detail']}",
            where=f"row {numbers[bad['id']]}",
            expected="a sketch of every text",
            hint="corpusmill try FILE --on DATA shows the smallest text that does it",
        )


def checked_step(chosen: Chosen, options: Any, column: str, digest: str) -> CheckedStep:
    """Return an operator as the one step of a spec, bound to a dataset."""
    assert chosen.registered is not None
    bound = (Ref(f"store:{digest}", store=digest),)
    return CheckedStep(
        id=chosen.step,
        uses=chosen.uses,
        registered=chosen.registered,
        operator=chosen.operator,
        options=options,
        inputs={"documents": bound},
        column=column,
        keep=False,
        resources=dict(chosen.operator.resources),
        limits=Limits(max_bad_fraction=1.0),
        schema=None,
        splits=None,
    )


def fates(session: Session, step: CheckedStep, alone: Sequence[Tried]) -> list[Tried]:
    """Return documents with what a dedup stage that has run decided about them: kept, removed, or cut."""
    left = _left(session, step)
    removed = _removed(session, left)
    texts = dict(zip(left.column("id").to_pylist(), left.column(step.column).to_pylist(), strict=True))
    told = []
    for one in alone:
        decision, row = one.decision, removed.get(one.id)
        if row is not None:
            names = ("rule", "value", "threshold", "detail", "other")
            decision = replace(decision, verdict="removed", **{name: row[name] for name in names})
        elif one.id in texts and texts[one.id] != one.text:
            decision = replace(decision, verdict="changed", before=one.text or "", after=texts[one.id] or "")
        told.append(replace(one, decision=decision))
    return told


def _left(session: Session, step: CheckedStep) -> pa.Table:
    """Return the documents that the stage of a step left."""
    output = session.results[step.id, None]
    assert isinstance(output, Dataset)
    return pa.Table.from_batches(list(output.batches()), schema=output.schema)


def _removed(session: Session, left: pa.Table) -> dict[str, dict[str, Any]]:
    """Return the rows of the ledgers about documents that are gone, by id."""
    kept = set(left.column("id").to_pylist())
    rows: dict[str, dict[str, Any]] = {}
    for ledger in session.ledgers:
        with pa.memory_map(ledger["path"]) as source:
            rows |= {one["id"]: one for one in pa.ipc.open_file(source).read_all().to_pylist()}
    return {one: row for one, row in rows.items() if one not in kept}


def _verdict(row: Mapping[str, Any], numbers: Mapping[str, int]) -> Verdict:
    """Return a row of a ledger as a verdict."""
    other = numbers.get(row["other"]) if row["other"] is not None else None
    return Verdict(False, row["rule"], row["value"], row["threshold"], row["detail"], other)


def _ordered(kept: pa.Table, table: pa.Table) -> pa.Table:
    """Put the columns in the order in which they were given; what the step made comes last."""
    first = [name for name in table.column_names if name in kept.column_names]
    return kept.select([*first, *(name for name in kept.column_names if name not in first)])
