"""One row-wise step on one document: what it measured, decided and changed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from corpusmill.plugin.verdicts import Verdicts
from corpusmill.runner.applied import APPLY, Applied
from corpusmill.runner.chunk import Chunk
from corpusmill.runner.decision import Signal, StepDecision


@dataclass(frozen=True)
class Replayed:
    """A step's decision and the row it left, None where it removed the document."""

    decision: StepDecision
    row: pa.RecordBatch | None


def replay_step(operator: Any, step: str, uses: str, row: pa.RecordBatch, document: str) -> Replayed:
    """Run one operator on a batch of one row and tell what it did; `document` picks among derived rows.

    Raises whatever the operator raises.
    """
    applied = APPLY[operator.kind](operator, Chunk(row, np.zeros(1, np.int64)))
    if operator.kind == "augment":
        return _augmented(operator, step, uses, row, applied, document)
    told: dict[str, Any] = {"verdict": "kept", **_changed(operator, row, applied)}
    if applied.verdicts is not None:
        told |= _removal(applied.verdicts)
    if operator.kind == "filter":
        told["signals"] = _signals(applied.verdicts)
        told["columns"] = _values(row, [name for name in operator.reads() if name != operator.column])
    elif operator.kind in ("annotate", "split"):
        made = operator.adds() if operator.kind == "annotate" else {"split": None}
        told["columns"] = _values(applied.kept.batch, list(made))
    return Replayed(StepDecision(step, uses, **told), applied.kept.batch if len(applied.kept) else None)


def _changed(operator: Any, row: pa.RecordBatch, applied: Applied) -> dict[str, Any]:
    if operator.kind != "clean":
        return {}
    rows = applied.judged or applied.kept
    before, after = _text(row, operator.column), _text(rows.batch, operator.column)
    return {} if before == after else {"verdict": "changed", "before": before, "after": after}


def _removal(verdicts: Verdicts) -> dict[str, Any]:
    if verdicts.keep[0]:
        return {}
    rule = verdicts.rules[verdicts.rule[0]]
    return {
        "verdict": "removed",
        "rule": rule.name,
        "value": _number(verdicts.value[0]),
        "threshold": _number(rule.threshold),
        "detail": verdicts.detail[0] if verdicts.detail is not None else None,
    }


def _signals(verdicts: Verdicts | None) -> tuple[Signal, ...]:
    """Return every rule beside its measured value, then what was measured without a rule.

    A filter that judges without measuring all of it tells the rules it asked, and the value of the one that failed.
    """
    if verdicts is None:
        return ()
    measured, rules = verdicts.signals or {}, verdicts.rules
    if not measured or not measured.keys() >= {rule.signal for rule in rules}:
        return _asked(verdicts)
    held = [
        Signal(
            rule.signal,
            _number(measured[rule.signal][0]),
            _number(rule.threshold),
            rule.side,
            not bool(rule.fails(measured[rule.signal])[0]),
        )
        for rule in rules
    ]
    without = measured.keys() - {rule.signal for rule in rules}
    return (*held, *(Signal(name, _number(measured[name][0])) for name in measured if name in without))


def _asked(verdicts: Verdicts) -> tuple[Signal, ...]:
    failed = int(verdicts.rule[0])
    asked = verdicts.rules if failed < 0 else verdicts.rules[: failed + 1]
    return tuple(
        Signal(
            rule.name,
            _number(verdicts.value[0]) if index == failed else None,
            _number(rule.threshold),
            rule.side if not math.isnan(rule.threshold) else "",
            index != failed,
        )
        for index, rule in enumerate(asked)
    )


def _augmented(operator: Any, step: str, uses: str, row: pa.RecordBatch, applied: Applied, document: str) -> Replayed:
    """Follow the document itself where the step made it, else the row it was made from."""
    batch = applied.kept.batch
    ids = batch.column("id").to_pylist()
    parent = row.column("id")[0].as_py()
    if document not in ids and parent not in ids:
        return Replayed(StepDecision(step, uses, "removed", "augmented-away"), None)
    kept = batch.slice(ids.index(document if document in ids else parent), 1)
    deed = kept.column("augmentation")[0].as_py()
    before, after = _text(row, operator.column), _text(kept, operator.column)
    if deed is None:
        detail = f"{len(ids) - 1} made from it" if len(ids) > 1 else None
        return Replayed(StepDecision(step, uses, "kept", detail=detail), kept)
    told = StepDecision(step, uses, "changed", detail=f"made from {parent}: {deed}", before=before, after=after)
    return Replayed(told, kept)


def _text(batch: pa.RecordBatch, column: str) -> str:
    return str(batch.column(column)[0].as_py() or "")


def _values(batch: pa.RecordBatch, names: list[str]) -> tuple[tuple[str, Any], ...]:
    return tuple((name, _json(batch.column(name)[0].as_py())) for name in names if name in batch.schema.names)


def _json(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return str(value)


def _number(value: Any) -> float | None:
    number = float(value)
    return None if math.isnan(number) else number
