"""The columns of documents: reserved names, canonical types, unions of schemas."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

ENGINE_COLUMNS: Mapping[str, pa.DataType] = {
    "id": pa.string(),
    "source": pa.large_string(),
    "file": pa.large_string(),
    "offset": pa.int64(),
}
"""Columns every document has beside its own; `file` and `offset` say where it was read."""
SPLIT = "split"
SPLIT_TYPE = pa.string()


def canonical_type(kind: pa.DataType) -> pa.DataType:
    """Return the one type that stands for all encodings of the same values.

    Views, dictionaries and run-end encodings are decoded; lists, fixed-size ones and maps become large lists,
    binaries large binaries. A plain `string` stays as it is; text columns are declared large_string by their readers.
    """
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        return canonical_type(kind.value_type)
    if kind == pa.string_view():
        return pa.large_string()
    if kind in (pa.binary_view(), pa.binary()):
        return pa.large_binary()
    if pa.types.is_map(kind):
        pair = [("key", canonical_type(kind.key_type)), ("value", canonical_type(kind.item_type))]
        return pa.large_list(pa.field("item", pa.struct(pair)))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return pa.large_list(pa.field("item", canonical_type(kind.value_type)))
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(field.name, canonical_type(field.type)) for field in kind])
    return kind


def canonical_schema(columns: Mapping[str, pa.DataType]) -> pa.Schema:
    """Return a schema with canonical types, `id` and `text` first, the rest by name, no metadata."""
    first = [name for name in ("id", "text") if name in columns]
    rest = sorted(name for name in columns if name not in ("id", "text"))
    return pa.schema([pa.field(name, canonical_type(columns[name])) for name in (*first, *rest)])


def is_text(kind: pa.DataType) -> bool:
    """Say whether a column of this type can be worked on as text; one of nulls alone is empty text throughout."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind))


def describe_schema(schema: pa.Schema) -> list[list[str]]:
    """Return [[name, type], …]: how a schema enters keys and manifests."""
    return [[field.name, str(field.type)] for field in schema]


def union_schema(schemas: Sequence[pa.Schema]) -> pa.Schema:
    """Return the columns of all schemas; same names have same types (the check made sure)."""
    columns: dict[str, pa.DataType] = {}
    for schema in schemas:
        for field in schema:
            columns.setdefault(field.name, field.type)
    return canonical_schema(columns)


def conform(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return the batch with exactly this schema: columns ordered, cast to canonical types, absent ones null."""
    if batch.schema.equals(schema):
        return batch
    return pa.RecordBatch.from_arrays([_column(batch, field) for field in schema], schema=schema)


def select_columns(batch: pa.RecordBatch, names: Iterable[str]) -> pa.RecordBatch:
    """Return the batch with these columns, in this order."""
    return batch.select(list(names))


def _column(batch: pa.RecordBatch, field: pa.Field) -> pa.Array:
    index = batch.schema.get_field_index(field.name)
    if index < 0:
        return pa.nulls(batch.num_rows, field.type)
    column = batch.column(index)
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    elif pa.types.is_run_end_encoded(column.type):
        column = pc.run_end_decode(column)
    return column if column.type == field.type else column.cast(field.type)
