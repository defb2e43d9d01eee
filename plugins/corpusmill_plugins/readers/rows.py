"""Rows of foreign Arrow batches: renamed, cast and validated; rows that cannot be taken are rejected one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from corpusmill import ReadLimits, Reject
from corpusmill_plugins.readers.lines import HEAD
from corpusmill_plugins.readers.schemas import Schemas

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa


def checked_batch(
    batch: pa.RecordBatch, row: int, schemas: Schemas, limits: ReadLimits, reject: Reject
) -> pa.RecordBatch:
    """Return the batch under our names and types with `offset`; `row`: number of its first row in the file."""
    import numpy as np
    import pyarrow as pa

    kinds = schemas.types()
    problems: dict[int, tuple[str, str]] = {}
    arrays = [
        _column(batch, theirs, kinds[ours], problems)
        if theirs in batch.schema.names
        else pa.nulls(len(batch), kinds[ours])
        for ours, theirs in schemas.columns.items()
    ]
    names = list(schemas.columns)
    _find_large(arrays[names.index("text")], limits.max_document_bytes, problems)
    good = np.ones(len(batch), np.bool_)
    texts = batch.column(schemas.text_name)
    for index, (reason, detail) in sorted(problems.items()):
        raw = _bytes_of(texts.slice(index, 1))
        reject(raw[:HEAD], row + index, reason, detail, length=len(raw))
        good[index] = False
    offsets = pa.array(np.arange(row, row + len(batch), dtype=np.int64))
    result = pa.RecordBatch.from_arrays([*arrays, offsets], [*names, "offset"])
    return result if not problems else result.filter(pa.array(good))


def _column(batch: pa.RecordBatch, name: str, kind: pa.DataType, problems: dict[int, tuple[str, str]]) -> pa.Array:
    """Return one column cast and valid; rows that cannot be so are noted in `problems` and nulled."""
    import pyarrow as pa

    try:
        return _taken(batch.column(name), kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        pieces = [_one(batch.column(name).slice(index, 1), name, kind, index, problems) for index in range(len(batch))]
        return pa.concat_arrays(pieces)


def _taken(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """Cast and validate. The source is validated too: a cast from text may trust its bytes."""
    array.validate(full=True)
    taken = array.cast(kind)
    taken.validate(full=True)
    return taken


def _one(array: pa.Array, name: str, kind: pa.DataType, index: int, problems: dict[int, tuple[str, str]]) -> pa.Array:
    import pyarrow as pa

    try:
        return _taken(array, kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        reason = "invalid-utf8" if "UTF8" in str(error).upper().replace("-", "") else "type-conflict"
        problems.setdefault(index, (reason, f"column {name!r}: {error}"))
        return pa.nulls(1, kind)


def _find_large(text: pa.Array, limit: int, problems: dict[int, tuple[str, str]]) -> None:
    import numpy as np
    import pyarrow.compute as pc

    lengths: npt.NDArray[np.int64] = np.asarray(pc.binary_length(text).fill_null(0))
    for index in np.flatnonzero(lengths > limit):
        problems.setdefault(int(index), ("too-large", f"{lengths[index]} bytes, at most {limit}"))


def _bytes_of(text: pa.Array) -> bytes:
    """Return the bytes of a one-row text array, whatever they are."""
    import pyarrow as pa

    if pa.types.is_dictionary(text.type):
        text = text.dictionary_decode()
    if pa.types.is_string_view(text.type):
        text = text.cast(pa.binary_view())
    value: Any = text.cast(pa.large_binary())[0].as_py()
    return value or b""
