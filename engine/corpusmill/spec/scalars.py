"""Plain scalars of the YAML 1.2 core schema: `2e-5` is a number; `no`, `on` and `12:30` are text."""

from __future__ import annotations

import re

Value = str | int | float | bool | None

_NULL = {"", "~", "null", "Null", "NULL"}
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]+")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INFINITY = re.compile(r"[-+]?\.(inf|Inf|INF)")
_NAN = {".nan", ".NaN", ".NAN"}
_LONGEST_NUMBER = 400


def plain_value(text: str) -> Value:
    """Return what an unquoted scalar means; numbers of more than 400 characters stay text."""
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if len(text) > _LONGEST_NUMBER:
        return text
    if _INT.fullmatch(text):
        return int(text)
    if _BASED.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    return _special(text)


def _special(text: str) -> Value:
    if _INFINITY.fullmatch(text):
        return float("-inf") if text.startswith("-") else float("inf")
    return float("nan") if text in _NAN else text


def type_name(value: object) -> str:
    """The type of a value in the words of the spec: text, int, float, bool, list, mapping, nothing."""
    names = {str: "text", bool: "bool", int: "int", float: "float", list: "list", dict: "mapping"}
    return "nothing" if value is None else names.get(type(value), type(value).__name__)
