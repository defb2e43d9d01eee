"""What an operator made of each row of a batch, kind by kind; a broken promise is raised as the claim it breaks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from corpusmill.dataset.schema import canonical_type
from corpusmill.errors import OperatorError
from corpusmill.plugin.dedup_kind import Sketch
from corpusmill.plugin.row_kinds import Augmented, Filter
from corpusmill.plugin.verdicts import Verdicts, decide
from corpusmill.testing.findings import Broken, shown

Outcome = list[Any]
_STRINGS = (pa.string(), pa.large_string(), pa.string_view())


def outcome(operator: Any, batch: pa.RecordBatch) -> Outcome:
    """Return one comparable value a row; raises Broken, or whatever the operator raises."""
    return _OF_KIND[operator.kind](operator, batch)


def filter_outcome(operator: Any, batch: pa.RecordBatch) -> Outcome:
    """Each row's verdict, and its signals where the filter measures."""
    rows = batch.num_rows
    signals: dict[str, list[Any]] = {}
    if type(operator).judge is Filter.judge:
        measured = operator.measure(batch)
        if not isinstance(measured, Mapping):
            raise Broken("adds", f"measure() returned a {type(measured).__name__}, not a mapping of signal to numbers")
        for name, values in measured.items():
            found = len(values) if hasattr(values, "__len__") else "no"
            if found != rows:
                raise Broken("rows", f"measure() returned {found} numbers of {name!r} for a batch of {rows} rows")
            signals[name] = [None if one is None else float(one) for one in _listed(values)]
        try:
            verdicts = decide(measured, operator.rules(), rows)
        except OperatorError as error:
            raise Broken("verdicts", error.what) from error
    else:
        verdicts = operator.judge(batch)
    told = _verdicts(verdicts, rows, "judge()")
    return [(told[row], {name: values[row] for name, values in signals.items()}) for row in range(rows)]


def clean_outcome(operator: Any, batch: pa.RecordBatch) -> Outcome:
    """Each row's text and declared columns, and its verdict where the cleaner drops."""
    result = operator.clean(batch)
    cleaned, verdicts = result if isinstance(result, tuple) else (result, None)
    if not isinstance(cleaned, pa.RecordBatch):
        raise Broken("adds", f"clean() returned a {type(cleaned).__name__}, not a RecordBatch")
    _expect_rows("clean()", cleaned.num_rows, batch.num_rows)
    _expect_columns(operator, batch, cleaned, "clean()")
    _expect_untouched(operator, batch, cleaned)
    told = _verdicts(verdicts, batch.num_rows, "clean()") if verdicts is not None else [None] * batch.num_rows
    values = _values(cleaned, [operator.column, *operator.adds()])
    return [(told[row], values[row]) for row in range(batch.num_rows)]


def annotate_outcome(operator: Any, batch: pa.RecordBatch) -> Outcome:
    """Each row's new columns."""
    columns, declared = operator.annotate(batch), operator.adds()
    if not isinstance(columns, Mapping):
        raise Broken("adds", f"annotate() returned a {type(columns).__name__}, not a mapping of column to array")
    _expect_names("annotate()", set(columns), set(declared))
    arrays = []
    for name, kind in declared.items():
        values = columns[name]
        array = values if isinstance(values, pa.Array) else pa.array(values, kind)
        _expect_rows("annotate()", len(array), batch.num_rows, f"values of {name!r}")
        if canonical_type(array.type) != canonical_type(kind):
            raise Broken("adds", f"annotate() made {name!r} of type {array.type}; adds() declares {kind}")
        arrays.append(array.to_pylist())
    return [dict(zip(declared, values, strict=True)) for values in zip(*arrays, strict=True)]


def split_outcome(operator: Any, batch: pa.RecordBatch) -> Outcome:
    """Each row's label."""
    labels, known = np.asarray(operator.split(batch)), operator.labels()
    _expect_rows("split()", len(labels), batch.num_rows)
    if labels.dtype.kind not in "iu":
        raise Broken("labels", f"split() returned labels of type {labels.dtype}, not whole numbers into labels()")
    wrong = [int(one) for one in labels if not 0 <= one < len(known)]
    if wrong:
        raise Broken("labels", f"split() returned {wrong[0]}, but labels() has {len(known)}: {shown(tuple(known))}")
    return [str(known[int(one)]) for one in labels]


def augment_outcome(operator: Any, batch: pa.RecordBatch) -> Outcome:
    """For each input row what became of it: (deed, values) of each of its rows in order."""
    made = operator.augment(batch)
    if not isinstance(made, Augmented):
        raise Broken("rows", f"augment() returned a {type(made).__name__}, not Augmented(batch, parent, made_by)")
    parent = np.asarray(made.parent)
    if not len(parent) == len(made.made_by) == made.batch.num_rows:
        lengths = f"{made.batch.num_rows} rows, {len(parent)} parents and {len(made.made_by)} deeds"
        raise Broken("rows", f"augment() returned {lengths}")
    if len(parent) and (parent.dtype.kind not in "iu" or parent.min() < 0 or parent.max() >= batch.num_rows):
        raise Broken("parents", f"augment() names a parent outside the batch of {batch.num_rows} rows")
    if np.any(np.diff(parent.astype(np.int64)) < 0):
        raise Broken("parents", "augment() returned rows that are not grouped by parent in input order")
    _expect_columns(operator, batch, made.batch, "augment()")
    values = _values(made.batch, [operator.column, *operator.adds()])
    before = _values(batch, [operator.column])
    rows: Outcome = [[] for _ in range(batch.num_rows)]
    for row, owner in enumerate(parent.tolist()):
        deed = made.made_by[row]
        if deed is None and values[row][operator.column] != before[owner][operator.column]:
            raise Broken(
                "parents", f"augment() changed row {owner} but says that nothing was done to it (made_by None)"
            )
        if deed is None and any(one[0] is None for one in rows[owner]):
            raise Broken("parents", f"augment() returned the original of row {owner} twice (made_by None)")
        rows[owner].append((deed, values[row]))
    return rows


def dedup_outcome(operator: Any, batch: pa.RecordBatch) -> Outcome:
    """Each row's keys, evidence and rank."""
    sketch, rows = operator.sketch(batch), batch.num_rows
    keys, owners = _keys(sketch, rows)
    evidence = None if sketch.evidence is None else np.asarray(sketch.evidence)
    if evidence is not None and len(evidence) != rows:
        raise Broken("keys", f"sketch() returned {len(evidence)} rows of evidence for a batch of {rows}")
    found: list[list[Any]] = [[] for _ in range(rows)]
    for key, owner in zip(keys.tolist(), owners.tolist(), strict=True):
        found[owner].append(key)
    rank = operator.rank(batch)
    if rank is not None:
        rank = np.asarray(rank, np.float64)
        _expect_rows("rank()", len(rank), rows, "ranks")
    return [
        (
            found[row],
            None if evidence is None else np.ascontiguousarray(evidence[row]).tobytes(),
            None if rank is None else float(rank[row]),
        )
        for row in range(rows)
    ]


def _keys(sketch: Any, rows: int) -> tuple[Any, Any]:
    if not isinstance(sketch, Sketch):
        raise Broken("keys", f"sketch() returned a {type(sketch).__name__}, not Sketch(keys, rows, evidence)")
    keys, owners = np.asarray(sketch.keys), np.asarray(sketch.rows)
    if keys.dtype != np.uint64 or keys.ndim not in (1, 2) or (keys.ndim == 2 and keys.shape[1] != 2):
        raise Broken("keys", f"sketch() returned keys of type {keys.dtype} and shape {keys.shape}")
    if len(keys) != len(owners):
        raise Broken("keys", f"sketch() returned {len(keys)} keys and {len(owners)} row numbers")
    if len(owners) and (owners.dtype.kind not in "iu" or owners.min() < 0 or owners.max() >= rows):
        raise Broken("keys", f"sketch() names a row outside the batch of {rows} rows")
    return keys, owners


def _verdicts(verdicts: Any, rows: int, method: str) -> list[Any]:
    """Return each row's verdict as (reason, value, detail), None for a kept one."""
    if not isinstance(verdicts, Verdicts):
        raise Broken("verdicts", f"{method} returned a {type(verdicts).__name__}, not Verdicts")
    rule, value = np.asarray(verdicts.rule), np.asarray(verdicts.value, np.float64)
    lengths = [len(rule), len(value), *([len(verdicts.detail)] if verdicts.detail is not None else [])]
    for length in lengths:
        _expect_rows(method, length, rows, "verdicts")
    if rows and (rule.min() < -1 or rule.max() >= len(verdicts.rules)):
        raise Broken("verdicts", f"{method} names rule {int(rule.max())}, but there are {len(verdicts.rules)} rules")
    told: list[Any] = []
    for row in range(rows):
        if rule[row] < 0:
            told.append(None)
            continue
        why = verdicts.rules[int(rule[row])]
        measured = float(value[row])
        if why.threshold == why.threshold and measured == measured and not why.fails(value[row : row + 1])[0]:
            side = f"at {why.side} {why.threshold:g}"
            raise Broken(
                "verdicts", f"a row was removed by {why.name!r} ({side}) with the value {measured:g}, which passes"
            )
        told.append((why.name, measured, verdicts.detail[row] if verdicts.detail is not None else None))
    return told


def _expect_rows(method: str, found: int, expected: int, what: str = "rows") -> None:
    if found != expected:
        raise Broken("rows", f"{method} returned {found} {what} for a batch of {expected} rows")


def _expect_names(method: str, found: set[str], declared: set[str]) -> None:
    if extra := found - declared:
        raise Broken("adds", f"{method} made the column {sorted(extra)[0]!r}, which adds() does not declare")
    if missing := declared - found:
        raise Broken("adds", f"{method} did not make the column {sorted(missing)[0]!r}, which adds() declares")


def _expect_columns(operator: Any, before: pa.RecordBatch, after: pa.RecordBatch, method: str) -> None:
    """The columns that came in, less `drops()`, and those of `adds()`, of their types."""
    types = {field.name: field.type for field in before.schema} | dict(operator.adds())
    _expect_names(
        method, set(after.schema.names) - set(before.schema.names), set(operator.adds()) - set(before.schema.names)
    )
    if missing := types.keys() - set(after.schema.names) - set(operator.drops()):
        raise Broken("adds", f"{method} left out the column {sorted(missing)[0]!r}, which drops() does not name")
    for field in after.schema:
        texts = field.type in _STRINGS and types[field.name] in _STRINGS
        if canonical_type(field.type) != canonical_type(types[field.name]) and not texts:
            raise Broken("adds", f"{method} made {field.name!r} of type {field.type}; {types[field.name]} is declared")


def _expect_untouched(operator: Any, before: pa.RecordBatch, after: pa.RecordBatch) -> None:
    changing = {operator.column, *operator.adds()}
    for name in before.schema.names:
        if name in changing or name not in after.schema.names:
            continue
        if after.column(name).to_pylist() != before.column(name).to_pylist():
            words = (
                "the ids or the order of its rows"
                if name == "id"
                else f"the column {name!r}, which adds() does not declare"
            )
            raise Broken("rows", f"clean() changed {words}")


def _values(batch: pa.RecordBatch, names: list[str]) -> list[dict[str, Any]]:
    columns = {name: batch.column(name).to_pylist() for name in dict.fromkeys(names)}
    return [{name: values[row] for name, values in columns.items()} for row in range(batch.num_rows)]


def _listed(values: Any) -> list[Any]:
    if hasattr(values, "to_pylist"):
        return list(values.to_pylist())
    return list(values.tolist() if hasattr(values, "tolist") else values)


def told(value: Any) -> str:
    """Return a row's outcome as people read it: `kept; words 3`, or the values that were made."""
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], dict):
        verdict, values = value
        words = "kept" if verdict is None else f"removed by {verdict[0]}"
        return "; ".join([words, *(f"{name} {shown(one, 80)}" for name, one in values.items())])
    if isinstance(value, dict):
        return ", ".join(f"{name} {shown(one, 80)}" for name, one in value.items())
    return shown(value, 120)


_OF_KIND: dict[str, Callable[[Any, pa.RecordBatch], Outcome]] = {
    "filter": filter_outcome,
    "clean": clean_outcome,
    "annotate": annotate_outcome,
    "split": split_outcome,
    "augment": augment_outcome,
    "dedup": dedup_outcome,
}
ROW_KINDS = tuple(_OF_KIND)
