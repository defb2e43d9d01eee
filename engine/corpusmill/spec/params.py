"""Parameters: declared in the spec with a type, given by `--param NAME=VALUE`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from corpusmill.errors import nearest
from corpusmill.spec.nodes import MapNode, Node, is_null, plain
from corpusmill.spec.problems import Mark, Problems
from corpusmill.spec.scalars import plain_value, type_name
from corpusmill.spec.substitution import MISSING

TYPES = ("text", "int", "float", "bool", "path")
_KEYS = ("type", "default", "choices", "help")
_PYTHON = {"text": str, "path": str, "int": int, "float": float, "bool": bool}


def read_params(node: Node | None, given: Mapping[str, Any], base: Path, problems: Problems) -> dict[str, Any]:
    """Return name -> value of all declared params; a param without value is a problem, so is an unknown one."""
    if node is None or is_null(node):
        node = MapNode(node.mark if node else Mark())
    if not isinstance(node, MapNode):
        problems.add("params must be a mapping", node.mark, expected="{NAME: VALUE or {type, default, choices, help}}")
        return {}
    values = {}
    for name, declared in node.items.items():
        mark = node.key(name)
        values[name] = _value(name, declared, given, mark, base, problems)
    for name in sorted(given.keys() - node.items.keys()):
        mark = Mark(origin=f"--param {name}")
        expected = f"one of {', '.join(sorted(node.items))}" if node.items else "no params: the spec declares none"
        problems.add(f"unknown param {name!r}", mark, expected=expected, near=nearest(name, node.items))
    return values


def _value(name: str, node: Node, given: Mapping[str, Any], mark: Mark, base: Path, problems: Problems) -> Any:
    if not isinstance(node, MapNode):
        default = plain(node)
        kind = type_name(default) if not isinstance(default, list) and default is not None else "text"
        return _given(name, kind, given[name], base, problems) if name in given else default
    for key in sorted(node.items.keys() - set(_KEYS)):
        problems.unknown("key", key, _KEYS, node.key(key))
    told = node.items.get("help")
    if told is not None and not is_null(told) and not isinstance(told.value, str):
        problems.add(f"the help of param {name!r} is {plain(told)!r}", told.mark, expected="a text")
    kind = _kind(node, problems)
    value = (
        _given(name, kind, given[name], base, problems) if name in given else _default(name, kind, node, mark, problems)
    )
    _check_choice(name, value, node, given, problems)
    return value


def _kind(node: MapNode, problems: Problems) -> str:
    declared = node.items.get("type")
    if declared is None:
        return "text"
    if declared.value not in TYPES:
        problems.add(
            f"unknown type {declared.value!r}",
            declared.mark,
            expected=f"one of {', '.join(TYPES)}",
            near=nearest(str(declared.value), TYPES),
        )
        problems.silence(node.mark)
        return "text"
    return str(declared.value)


def _default(name: str, kind: str, node: MapNode, mark: Mark, problems: Problems) -> Any:
    if "default" not in node.items:
        problems.add(f"param {name!r} has no value", mark, expected=f"a {kind}", hint=f"--param {name}=VALUE")
        return MISSING
    default = node.items["default"]
    value = plain(default)
    if kind == "float" and type(value) is int:
        return float(value)
    if type(value) is not _PYTHON[kind] and value is not None:
        problems.add(
            f"the default of param {name!r} is {type_name(value)}: {value!r}", default.mark, expected=f"a {kind}"
        )
    return value


def _given(name: str, kind: str, value: Any, base: Path, problems: Problems) -> Any:
    """Convert what the command line (text) or a caller (any value) gave."""
    wanted = _PYTHON[kind]
    if kind == "path":
        return _relative(str(value), base)
    if kind == "text":
        return str(value)
    read = plain_value(value.strip()) if isinstance(value, str) else value
    if kind == "float" and type(read) is int:
        return float(read)
    if type(read) is not wanted:
        problems.add(f"param {name!r} is {value!r}", Mark(origin=f"--param {name}"), expected=f"a {kind}")
        return MISSING
    return read


def _relative(value: str, base: Path) -> str:
    """A path typed on the command line starts from where the user is; the spec's start from its folder."""
    if "://" in value or Path(value).is_absolute():
        return value
    return os.path.relpath(Path.cwd() / value, base)


def _check_choice(name: str, value: Any, node: MapNode, given: Mapping[str, Any], problems: Problems) -> None:
    choices = plain(node.items.get("choices"))
    if choices is None:
        return
    if not isinstance(choices, list):
        problems.add("choices must be a list", node.items["choices"].mark, expected="[VALUE, …]")
        return
    if value is MISSING or value in choices:
        return
    mark = Mark(origin=f"--param {name}") if name in given else node.items["default"].mark
    expected = "one of " + ", ".join(map(str, choices))
    near = nearest(str(value), map(str, choices))
    problems.add(f"param {name!r} is {value!r}", mark, expected=expected, near=near)
