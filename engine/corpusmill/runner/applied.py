"""What one row-wise operator made of a chunk, kind by kind, checked against its promise."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from corpusmill.dataset.schema import SPLIT, SPLIT_TYPE, canonical_type
from corpusmill.errors import OperatorError
from corpusmill.plugin.dedup_kind import Sketch
from corpusmill.plugin.operator import Operator
from corpusmill.plugin.row_kinds import Augmented
from corpusmill.plugin.verdicts import Verdicts
from corpusmill.runner.chunk import Chunk
from corpusmill.runner.measurements import Shared


@dataclass(frozen=True)
class Applied:
    """The rows an operator kept, its verdicts on the rows it was given, and what it changed or added.

    `judged`: the rows the verdicts speak of, as the operator left them. `given`: how many rows came in.
    """

    kept: Chunk
    given: int
    judged: Chunk | None = None
    verdicts: Verdicts | None = None
    changed: int = 0
    added: int = 0
    dropped: Mapping[str, int] | None = None


@dataclass(frozen=True, kw_only=True)
class Sketched(Applied):
    """The keys of the rows of `chunk`, and the rank of its rows where they have one; `kept`: those whose keys count."""

    chunk: Chunk
    sketch: Sketch
    rank: npt.NDArray[np.float64] | None


@dataclass(frozen=True, kw_only=True)
class Encoded(Applied):
    """The tokens of a chunk's documents, one row each."""

    table: pa.Table


def apply_filter(operator: Any, chunk: Chunk, shared: Shared | None = None) -> Applied:
    """Judge rows and keep those without a failing rule; `shared`: a measurement that several steps want."""
    if shared is None:
        verdicts = operator.judge(chunk.batch)
    else:
        chunk, verdicts = shared.judge(operator, chunk)
    _expect_verdicts(operator, verdicts, len(chunk))
    return Applied(chunk.keep(verdicts.keep), len(chunk), chunk, verdicts)


def apply_clean(operator: Any, chunk: Chunk) -> Applied:
    """Rewrite the text; verdicts may drop rows."""
    result = operator.clean(chunk.batch)
    batch, verdicts = result if isinstance(result, tuple) and len(result) == 2 else (result, None)
    _expect_kind(operator, "clean()", batch, pa.RecordBatch, "the batch, or (batch, verdicts)")
    _expect_rows(operator, batch.num_rows, len(chunk))
    _expect_columns(operator, chunk.batch, batch)
    cleaned = chunk.with_batch(batch)
    before, after = chunk.batch.column(operator.column), batch.column(operator.column)
    changed = 0 if after is before else pc.sum(pc.fill_null(pc.not_equal(before, after), False)).as_py() or 0
    if verdicts is None:
        return Applied(cleaned, len(chunk), changed=changed)
    _expect_verdicts(operator, verdicts, len(chunk))
    return Applied(cleaned.keep(verdicts.keep), len(chunk), cleaned, verdicts, changed)


def apply_annotate(operator: Any, chunk: Chunk) -> Applied:
    """Add the declared columns."""
    return Applied(chunk.with_batch(add_columns(operator, chunk.batch, operator.annotate(chunk.batch))), len(chunk))


def add_columns(operator: Any, batch: pa.RecordBatch, columns: Mapping[str, Any]) -> pa.RecordBatch:
    """Return the batch with an annotator's columns; they must be exactly those it declared."""
    declared = operator.adds()
    _expect_kind(operator, "annotate()", columns, Mapping, "a mapping of column to array")
    if set(columns) != set(declared):
        raise OperatorError(
            f"{type(operator).__name__} made columns {sorted(columns)}",
            expected=f"the columns that adds() declares: {sorted(declared)}",
        )
    for name, kind in declared.items():
        values = columns[name]
        array = values if isinstance(values, pa.Array) else pa.array(values, kind)
        _expect_rows(operator, len(array), batch.num_rows)
        batch = set_column(batch, name, array if array.type == kind else _cast(operator, name, array, kind))
    return batch


def apply_split(operator: Any, chunk: Chunk) -> Applied:
    """Add the split label of each row."""
    labels = np.atleast_1d(np.asarray(operator.split(chunk.batch)))
    _expect_rows(operator, len(labels), len(chunk))
    if labels.dtype.kind not in "iu":
        raise OperatorError(
            f"{type(operator).__name__} returned labels of type {labels.dtype}",
            expected="whole numbers: each row's index into labels()",
        )
    names = pa.array(operator.labels(), SPLIT_TYPE)
    if len(labels) and not 0 <= labels.min() <= labels.max() < len(names):
        raise OperatorError(
            f"{type(operator).__name__} returned labels from {labels.min()} to {labels.max()}",
            expected=f"indexes into labels(): 0 to {len(names) - 1}",
        )
    return Applied(chunk.with_batch(set_column(chunk.batch, SPLIT, names.take(pa.array(labels)))), len(chunk))


def apply_augment(operator: Any, chunk: Chunk) -> Applied:
    """Make new rows from old ones; new rows get ids from parent, step and ordinal."""
    made = operator.augment(chunk.batch)
    _expect_kind(operator, "augment()", made, Augmented, "an Augmented: rows, the parent of each, what was done")
    _expect_rows(operator, len(made.parent), made.batch.num_rows)
    _expect_parents(operator, np.asarray(made.parent), len(chunk))
    is_new = np.array([deed is not None for deed in made.made_by], bool)
    parent_ids = chunk.batch.column("id").take(pa.array(made.parent))
    batch = set_column(made.batch, "id", _child_ids(parent_ids, is_new, made.parent, operator.context.step))
    from_ids = pc.if_else(pa.array(is_new), parent_ids, pa.nulls(len(is_new), parent_ids.type))
    batch = set_column(batch, "augmented_from", from_ids.cast(pa.string()))
    batch = set_column(batch, "augmentation", pa.array(list(made.made_by), pa.string()))
    lost = len(chunk) - int((~is_new).sum())
    return Applied(
        Chunk(batch, chunk.rows[made.parent]),
        len(chunk),
        added=int(is_new.sum()),
        dropped={"augmented-away": lost} if lost else None,
    )


def apply_sketch(operator: Any, chunk: Chunk) -> Sketched:
    """Sketch rows; all of them stay, whatever keys they have."""
    made, rank = operator.sketch(chunk.batch), operator.rank(chunk.batch)
    _expect_kind(operator, "sketch()", made, Sketch, "a Sketch: the keys of the batch, and the row of each")
    return Sketched(chunk, len(chunk), chunk=chunk, sketch=made, rank=rank)


def apply_encode(encoder: Any, chunk: Chunk) -> Encoded:
    """Encode all documents."""
    return Encoded(chunk, len(chunk), table=encoder.encode(chunk.batch))


def apply_write(writer: Any, chunk: Chunk) -> Applied:
    """Write some documents into a file of their own that nobody keeps.

    It is in memory, unless the writer asks for its descriptor: a disk that is full or read-only is no document's fault.
    """
    with tempfile.SpooledTemporaryFile() as sink:
        writer.encode(chunk.batch.schema, iter([chunk.batch]), sink)
    return Applied(chunk, len(chunk))


def apply_compare(paired: Any, chunk: Chunk) -> Applied:
    """Compare the documents of each pair."""
    paired.compare(chunk.batch)
    return Applied(chunk, len(chunk))


def apply_cut(measure: Any, chunk: Chunk) -> Applied:
    """Measure documents that lost segments."""
    applied: Applied = measure.measure(chunk)
    return applied


def set_column(batch: pa.RecordBatch, name: str, array: pa.Array) -> pa.RecordBatch:
    """Return the batch with a column replaced or appended."""
    index = batch.schema.get_field_index(name)
    if index < 0:
        return batch.append_column(name, array)
    return batch.set_column(index, name, array)


def _child_ids(parents: pa.Array, is_new: Any, parent: Any, step: str) -> pa.Array:
    ordinal: dict[int, int] = {}
    ids = parents.to_pylist()
    for row in np.flatnonzero(is_new):
        owner = int(parent[row])
        ordinal[owner] = ordinal.get(owner, 0) + 1
        ids[row] = xxhash.xxh3_128_hexdigest(f"{ids[row]}\0{step}\0{ordinal[owner]}".encode())
    return pa.array(ids, pa.string())


def _expect_kind(operator: Operator, method: str, found: Any, kind: type, expected: str) -> None:
    if not isinstance(found, kind):
        raise OperatorError(f"{type(operator).__name__}.{method} returned {type(found).__name__}", expected=expected)


def _expect_parents(operator: Operator, parent: Any, rows: int) -> None:
    """Parents are rows of the batch, in its order."""
    whole = parent.dtype.kind in "iu" and len(parent) > 0
    if len(parent) == 0 or (whole and parent[0] >= 0 and parent[-1] < rows and (parent[1:] >= parent[:-1]).all()):
        return
    raise OperatorError(
        f"{type(operator).__name__} returned rows whose parents are not rows of its batch, in their order",
        expected=f"parent: whole numbers from 0 to {rows - 1}, rows grouped by parent in input order",
    )


def _expect_rows(operator: Operator, found: int, expected: int) -> None:
    if found != expected:
        raise OperatorError(
            f"{type(operator).__name__} returned {found} rows for a batch of {expected}",
            expected="one result a row; only augmenters change the number of rows",
        )


def _expect_verdicts(operator: Operator, verdicts: Verdicts, rows: int) -> None:
    """One verdict a row; signals, where there are some, as `Verdicts` says."""
    _expect_kind(operator, "judge()", verdicts, Verdicts, "Verdicts: one a row")
    _expect_rows(operator, len(verdicts.rule), rows)
    for name, values in (verdicts.signals or {}).items():
        if getattr(values, "dtype", None) != np.float64 or values.shape != (rows,):
            raise OperatorError(
                f"{type(operator).__name__} returned verdicts with the signal {name!r} of type "
                f"{getattr(values, 'dtype', type(values).__name__)} and shape {getattr(values, 'shape', '?')}",
                expected=f"a float64 array with one number for each of {rows} rows",
            )


def _expect_columns(operator: Operator, before: pa.RecordBatch, after: pa.RecordBatch) -> None:
    """A cleaner's rows are the rows it was given, with the columns and types it declares."""
    types = {field.name: field.type for field in before.schema} | dict(operator.adds())
    for field in after.schema:
        if field.name not in types:
            raise OperatorError(
                f"{type(operator).__name__} made the column {field.name!r}",
                expected=f"the columns of its input and those that adds() declares: {sorted(types)}",
            )
        _expect_type(operator, field.name, field.type, types[field.name])
    missing = types.keys() - set(after.schema.names) - set(operator.drops())
    if missing:
        raise OperatorError(
            f"{type(operator).__name__} left out the columns {sorted(missing)}",
            expected="all columns of its input but those that drops() declares",
        )
    if "id" in types and not after.column("id").equals(before.column("id")):
        raise OperatorError(
            f"{type(operator).__name__} changed the ids or the order of its rows",
            expected="the same rows in their order",
        )


def _expect_type(operator: Operator, name: str, found: pa.DataType, expected: pa.DataType) -> None:
    strings = (pa.string(), pa.large_string(), pa.string_view())
    if canonical_type(found) != canonical_type(expected) and not (found in strings and expected in strings):
        raise OperatorError(
            f"{type(operator).__name__} made column {name!r} of type {found}", expected=f"type {expected}, as declared"
        )


def _cast(operator: Operator, name: str, array: pa.Array, kind: pa.DataType) -> pa.Array:
    try:
        return array.cast(kind)
    except pa.ArrowException as error:
        raise OperatorError(
            f"{type(operator).__name__} made column {name!r} of type {array.type}", expected=f"type {kind}, as declared"
        ) from error


APPLY: dict[str, Callable[[Any, Chunk], Applied]] = {
    "filter": apply_filter,
    "clean": apply_clean,
    "annotate": apply_annotate,
    "split": apply_split,
    "augment": apply_augment,
    "dedup": apply_sketch,
    "encode": apply_encode,
}
TRIED: dict[str, Callable[[Any, Chunk], Applied]] = {
    **APPLY,
    "write": apply_write,
    "compare": apply_compare,
    "cut": apply_cut,
}
"""Those, and the kinds that are asked about a few documents only where some of them are looked for."""
