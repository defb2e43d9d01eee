"""Types of columns: how a spec writes them, what JSON values fit them, and what a sample of values says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from corpusmill import InputError

if TYPE_CHECKING:
    import pyarrow as pa

TypeName = str | dict[str, Any]
"""`string`, `int`, `float`, `bool`, `{list: TYPE}` or `{struct: {NAME: TYPE, …}}`."""
FITTING: dict[TypeName, frozenset[type]] = {
    "string": frozenset({str, type(None)}),
    "int": frozenset({int, type(None)}),
    "float": frozenset({int, float, type(None)}),
    "bool": frozenset({bool, type(None)}),
}
"""JSON values a scalar type takes as Python types; an int in a float column is the one widening."""
NAMES: dict[type, TypeName] = {str: "string", int: "int", float: "float", bool: "bool"}


def arrow_type(name: TypeName) -> pa.DataType:
    """Return the Arrow type (large_string, int64, float64, bool, large_list, struct); ValueError for other names."""
    import pyarrow as pa

    match name:
        case "string":
            return pa.large_string()
        case "int":
            return pa.int64()
        case "float":
            return pa.float64()
        case "bool":
            return pa.bool_()
        case {"list": inner} if len(name) == 1:
            return pa.large_list(arrow_type(inner))
        case {"struct": dict(fields)} if len(name) == 1 and fields:
            return pa.struct([(str(field), arrow_type(inner)) for field, inner in fields.items()])
    raise ValueError(f"{name!r} is no type: say string, int, float, bool, {{list: TYPE}} or {{struct: {{NAME: TYPE}}}}")


def infer(column: str, values: Iterable[Any]) -> TypeName:
    """Return the type of a sample of JSON values; one without any value is `string`.

    Ints beside floats are floats. Where kinds disagree the most frequent one wins (ties: the first seen), and rows
    of the others are rejected when they are read.
    """
    counts: Counter[type] = Counter()
    lists: list[Any] = []
    structs: list[dict[str, Any]] = []
    for value in values:
        if value is None:
            continue
        counts[type(value)] += 1
        if isinstance(value, list):
            lists.extend(value)
        elif isinstance(value, dict):
            structs.append(value)
    if counts[int] and counts[float]:
        counts[float] += counts.pop(int)
    if not counts.total():
        return "string"
    winner = counts.most_common(1)[0][0]
    if winner is list:
        return {"list": infer(column, lists)}
    if winner is dict:
        return {"struct": _infer_struct(column, structs)}
    return NAMES[winner]


def _infer_struct(column: str, rows: list[dict[str, Any]]) -> dict[str, TypeName]:
    fields = dict.fromkeys(field for row in rows for field in row)
    if not fields:
        raise InputError(f"column {column!r} holds only empty objects", hint="leave it out, or declare it in `types`")
    return {field: infer(f"{column}.{field}", [row.get(field) for row in rows]) for field in fields}


def fits(value: Any, name: TypeName) -> bool:
    """Return whether a parsed JSON value can be stored as this type without losing anything."""
    if value is None:
        return True
    match name:
        case {"list": inner}:
            return isinstance(value, list) and all(fits(one, inner) for one in value)
        case {"struct": dict(fields)}:
            return isinstance(value, dict) and all(fits(value.get(field), inner) for field, inner in fields.items())
        case "int":
            return type(value) is int and -(2**63) <= value < 2**63
        case "float":
            # Beyond 2^53 a float no longer holds every integer.
            return type(value) is float or (type(value) is int and abs(value) <= 2**53)
    return type(value) in FITTING[str(name)]


def json_kind(value: Any) -> str:
    """Return what a value is called where a type conflict is told."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return "int beyond 64 bits"
    return {str: "string", int: "int", float: "float", list: "list", dict: "object"}.get(type(value), "null")
