"""Rows at hand: texts, Arrow columns and tables as a table that operators take, with the columns of the engine."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa

from corpusmill.dataset.schema import ENGINE_COLUMNS
from corpusmill.errors import UsageError, nearest
from corpusmill.face.dataset import Dataset
from corpusmill.runner.places import place_ids

_EXPECTED = "a list of str, an Arrow array or table, a DataFrame, or a corpusmill.Dataset"


def as_table(texts: Any, column: str = "text") -> pa.Table:
    """Return texts as a table whose text column is large_string; raises UsageError for what holds no texts.

    `texts`: an iterable of str and None, an Arrow array, a table, record batch or DataFrame that has the column, or a
    Dataset.
    """
    table = _table(texts, column)
    if column not in table.column_names:
        near = nearest(column, table.column_names)
        raise UsageError(
            f"no column {column!r}",
            expected=f"one of {', '.join(table.column_names)}",
            hint=f"text_column={near!r}" if near else "text_column='NAME' names the column with the texts",
        )
    place, kind = table.schema.get_field_index(column), table.schema.field(column).type
    values = kind.value_type if pa.types.is_dictionary(kind) else kind
    if values not in (pa.string(), pa.large_string(), pa.string_view(), pa.null()):
        raise UsageError(f"column {column!r} is {kind}, not text", expected="strings")
    return table.set_column(place, column, table.column(column).cast(pa.large_string()))


def with_engine_columns(table: pa.Table) -> pa.Table:
    """Add the engine's columns that are missing; ids are made from the rows' numbers."""
    rows = table.num_rows
    made = {
        "id": lambda: place_ids("apply", "", np.arange(rows, dtype=np.int64)),
        "offset": lambda: pa.array(np.arange(rows, dtype=np.int64)),
    }
    for name, kind in ENGINE_COLUMNS.items():
        if name in table.column_names:
            table = table.set_column(table.schema.get_field_index(name), name, table.column(name).cast(kind))
        else:
            table = table.append_column(name, made[name]() if name in made else pa.repeat(pa.scalar("", kind), rows))
    return table


def without_engine_columns(table: pa.Table, given: Iterable[str]) -> pa.Table:
    """Take away what `with_engine_columns` added."""
    added = set(ENGINE_COLUMNS) - set(given)
    return table.select([name for name in table.column_names if name not in added])


def _table(texts: Any, column: str) -> pa.Table:
    if isinstance(texts, pa.Table):
        return texts
    if isinstance(texts, pa.RecordBatch):
        return pa.Table.from_batches([texts])
    if isinstance(texts, Dataset):
        return texts.to_arrow()
    if isinstance(texts, pa.Array | pa.ChunkedArray):
        return pa.table({column: texts})
    if hasattr(texts, "columns") and hasattr(texts, "__arrow_c_stream__"):
        return pa.table(texts)
    if isinstance(texts, str | bytes) or not isinstance(texts, Iterable):
        raise UsageError(f"{type(texts).__name__} instead of texts", expected=_EXPECTED, hint="[text] is a list of one")
    listed = list(texts)
    try:
        return pa.table({column: pa.array(listed, pa.large_string())})
    except (pa.ArrowException, UnicodeEncodeError) as error:
        number = next((at for at, one in enumerate(listed) if not _is_text(one)), 0)
        raise UsageError(f"item {number} is no text: {listed[number]!r:.80}", expected=_EXPECTED) from error


def _is_text(value: Any) -> bool:
    if value is None:
        return True
    try:
        return isinstance(value, str) and bool(value.encode() or True)
    except UnicodeEncodeError:
        return False
