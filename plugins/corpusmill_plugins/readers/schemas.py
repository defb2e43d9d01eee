"""One schema for many Parquet files: normalised, merged by safe widening, checked against each file."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from corpusmill import CorruptFile
from corpusmill_plugins.readers.columns import PLACE, ColumnMap

if TYPE_CHECKING:
    import pyarrow as pa


class Schemas:
    """The columns a reader takes and the types they have over all files.

    `columns`: our name -> theirs; without it every column that is not nested is taken. `merged`: our name -> type.
    """

    def __init__(self, columns: ColumnMap | None, merged: dict[str, pa.DataType] | None = None):
        self._all = columns is None
        self.columns: ColumnMap = {"text": "text"} if columns is None else dict(columns)
        self.merged: dict[str, pa.DataType] = merged or {}

    @property
    def text_name(self) -> str:
        """What the files call the text."""
        return self.columns["text"]

    def types(self) -> dict[str, pa.DataType]:
        """Return our columns and their types; a column no file has is a large_string of nulls."""
        import pyarrow as pa

        return {ours: self.merged.get(ours, pa.large_string()) for ours in self.columns}

    def add(self, name: str, schema: pa.Schema) -> None:
        """Widen the merged types by one file's; raises CorruptFile where they cannot be joined."""
        import pyarrow as pa

        if self._all:
            flat = {field.name for field in schema if not pa.types.is_nested(field.type)}
            self.columns.update({field.name: field.name for field in schema if field.name in flat - {PLACE}})
        widened = dict(self.merged)
        for ours, theirs, found in self._found(name, schema):
            widened[ours] = joined(widened[ours], found) if ours in widened else found
            if widened[ours] is None:
                raise _conflict(name, theirs, found, self.merged[ours])
        self.merged = widened

    def check(self, name: str, schema: pa.Schema) -> None:
        """Raise CorruptFile if a file does not fit the merged types."""
        for ours, theirs, found in self._found(name, schema):
            if ours in self.merged and joined(self.merged[ours], found) != self.merged[ours]:
                raise _conflict(name, theirs, found, self.merged[ours])

    def _found(self, name: str, schema: pa.Schema) -> list[tuple[str, str, pa.DataType]]:
        import pyarrow as pa

        if schema.get_field_index(self.text_name) < 0:
            have = ", ".join(schema.names[:12])
            raise CorruptFile(name, f"no column {self.text_name!r} for the text (the file has: {have})")
        present = [(ours, theirs) for ours, theirs in self.columns.items() if schema.get_field_index(theirs) >= 0]
        found = [(ours, theirs, normalised(schema.field(theirs).type)) for ours, theirs in present]
        text = next(one for ours, _, one in found if ours == "text")
        if not (pa.types.is_large_string(text) or pa.types.is_null(text)):
            raise _conflict(name, self.text_name, text, pa.large_string())
        return [(ours, theirs, pa.large_string() if ours == "text" else one) for ours, theirs, one in found]


def normalised(kind: pa.DataType) -> pa.DataType:
    """Return the type our batches use: no dictionaries and no views, strings and lists with 64-bit offsets."""
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        return normalised(kind.value_type)
    if pa.types.is_string(kind) or pa.types.is_string_view(kind):
        return pa.large_string()
    if pa.types.is_binary(kind) or pa.types.is_binary_view(kind):
        return pa.large_binary()
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return pa.large_list(normalised(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([(field.name, normalised(field.type)) for field in kind])
    return kind


def joined(left: pa.DataType, right: pa.DataType) -> pa.DataType | None:
    """Return the type that holds the values of both, or None."""
    import pyarrow as pa

    schemas = [pa.schema([("value", left)]), pa.schema([("value", right)])]
    try:
        return pa.unify_schemas(schemas, promote_options="permissive").field("value").type
    except (pa.ArrowTypeError, pa.ArrowInvalid):
        return None


def _conflict(name: str, column: str, found: pa.DataType, expected: pa.DataType) -> CorruptFile:
    return CorruptFile(name, f"column {column!r} is {found} here, {expected} expected")


def encode_schema(merged: dict[str, pa.DataType]) -> str:
    """Return types as text that survives JSON."""
    import pyarrow as pa

    return base64.b64encode(pa.schema(list(merged.items())).serialize().to_pybytes()).decode()


def decode_schema(text: str) -> dict[str, pa.DataType]:
    """Return the types that `encode_schema` wrote."""
    import pyarrow as pa

    schema = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(text)))
    return {field.name: field.type for field in schema}
