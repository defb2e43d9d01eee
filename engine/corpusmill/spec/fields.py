"""Typed values out of nodes: each reader returns the value, or None after recording what is wrong."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from corpusmill.errors import nearest
from corpusmill.spec.nodes import ListNode, MapNode, Node, is_null
from corpusmill.spec.problems import Problems
from corpusmill.spec.scalars import type_name
from corpusmill.spec.units import parse_duration, parse_size


class Fields:
    """Reads the entries of one mapping; says which step they belong to."""

    def __init__(self, node: MapNode, problems: Problems, step: str | None = None) -> None:
        self.node, self.problems, self.step = node, problems, step

    def only(self, known: Iterable[str]) -> None:
        """Record every key that is not known."""
        names = list(known)
        for name in self.node.items:
            if name not in names:
                self.problems.unknown("key", name, names, self.node.key(name), self.step)

    def given(self, name: str) -> bool:
        """True where the key stands, whatever its value."""
        return name in self.node.items

    def text(self, name: str, choices: Iterable[str] = ()) -> str | None:
        """A text; one of `choices` where given."""
        value: str | None = self._scalar(name, str, "text")
        allowed = list(choices)
        if value is None or not allowed or value in allowed:
            return value
        self._wrong(name, f"{name} is {value!r}", f"one of {', '.join(allowed)}", nearest(value, allowed))
        return None

    def integer(self, name: str, least: int = 0, most: int | None = None) -> int | None:
        """An integer between `least` and `most`."""
        value: int | None = self._scalar(name, int, "a whole number")
        if value is not None and not (least <= value and (most is None or value <= most)):
            expected = f"at least {least}" if most is None else f"between {least} and {most}"
            self._wrong(name, f"{name} is {value}", expected)
            return None
        return value

    def number(self, name: str, least: float = 0.0, most: float | None = None) -> float | None:
        """A number between `least` and `most`."""
        node = self.node.items.get(name)
        if node is not None and type(node.value) is int:
            node.value = float(node.value)
        value: float | None = self._scalar(name, float, "a number")
        if value is not None and not (least <= value and (most is None or value <= most)):
            expected = f"between {least:g} and {most:g}" if most is not None else f"at least {least:g}"
            self._wrong(name, f"{name} is {value:g}", expected)
            return None
        return value

    def boolean(self, name: str) -> bool | None:
        """true or false."""
        value: bool | None = self._scalar(name, bool, "true or false")
        return value

    def size(self, name: str) -> int | None:
        """Bytes, as a number or with a unit."""
        value: int | None = self._quantity(name, parse_size)
        return value

    def duration(self, name: str) -> float | None:
        """Seconds, as a number or with a unit."""
        value: float | None = self._quantity(name, parse_duration)
        return value

    def mapping(self, name: str) -> MapNode | None:
        """A mapping; nothing counts as an empty one."""
        node = self.node.items.get(name)
        if node is None or is_null(node):
            return None
        if isinstance(node, MapNode):
            return node
        self._wrong(name, f"{name} is {_shape(node)}", "a mapping: {KEY: VALUE}")
        return None

    def sequence(self, name: str) -> ListNode | None:
        """A list; nothing counts as an empty one."""
        node = self.node.items.get(name)
        if node is None or is_null(node):
            return None
        if isinstance(node, ListNode):
            return node
        self._wrong(name, f"{name} is {_shape(node)}", "a list: [VALUE, …]")
        return None

    def _scalar(self, name: str, kind: type, expected: str) -> Any:
        node = self.node.items.get(name)
        if node is None:
            return None
        if isinstance(node, (ListNode, MapNode)) or type(node.value) is not kind:
            shown = (
                _shape(node) if isinstance(node, (ListNode, MapNode)) else f"{type_name(node.value)}: {node.value!r}"
            )
            self._wrong(name, f"{name} is {'nothing' if is_null(node) else shown}", expected)
            return None
        return node.value

    def _quantity(self, name: str, parse: Any) -> Any:
        node = self.node.items.get(name)
        if node is None:
            return None
        try:
            return parse(node.value if not isinstance(node, (ListNode, MapNode)) else _shape(node))
        except ValueError as error:
            expected = str(error).removeprefix("expected ").rpartition(", not ")[0]
            self._wrong(name, f"{name} is {node.value!r}", expected)
            return None

    def _wrong(self, name: str, what: str, expected: str, near: str | None = None) -> None:
        self.problems.add(what, self.node.items[name].mark, step=self.step, expected=expected, near=near)


def _shape(node: Node) -> str:
    if isinstance(node, MapNode):
        return "a mapping"
    return "a list" if isinstance(node, ListNode) else f"{type_name(node.value)}: {node.value!r}"
