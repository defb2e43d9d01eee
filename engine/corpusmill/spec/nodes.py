"""Values with their places: the tree between a text (or a mapping) and the typed spec."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from corpusmill.spec.problems import Mark
from corpusmill.spec.problems import Path as Place


@dataclass
class Node:
    """A scalar: `value` is text, number, bool or None."""

    mark: Mark
    value: Any = None


@dataclass
class ListNode(Node):
    """A sequence."""

    items: list[Node] = field(default_factory=list)


@dataclass
class MapNode(Node):
    """A mapping; `keys` are the places of the keys."""

    items: dict[str, Node] = field(default_factory=dict)
    keys: dict[str, Mark] = field(default_factory=dict)

    def key(self, name: str) -> Mark:
        """The place of a key, or of the mapping."""
        return self.keys.get(name, self.mark)

    def put(self, name: str, node: Node) -> None:
        """Set one entry; its key stands where the value came from."""
        self.items[name] = node
        self.keys[name] = node.mark


def is_null(node: Node) -> bool:
    """True where nothing stands: no value, and no list or mapping either."""
    return not isinstance(node, (ListNode, MapNode)) and node.value is None


def plain(node: Node | None) -> Any:
    """Return the tree as plain lists, dicts and scalars."""
    if isinstance(node, MapNode):
        return {name: plain(item) for name, item in node.items.items()}
    if isinstance(node, ListNode):
        return [plain(item) for item in node.items]
    return node.value if node is not None else None


def from_plain(value: Any, path: Place = (), origin: str = "", depth: int = 0) -> Node:
    """Return the tree of plain data; places are paths alone. Raises ValueError for what YAML could not say."""
    mark = Mark(path=path, origin=origin)
    if depth > 64:
        raise ValueError(f"{mark.where}: nested deeper than 64 levels")
    if isinstance(value, Mapping):
        items = {str(name): from_plain(item, (*path, str(name)), origin, depth + 1) for name, item in value.items()}
        return MapNode(mark, items=items, keys={name: node.mark for name, node in items.items()})
    if isinstance(value, (list, tuple)):
        items_ = [from_plain(item, (*path, index), origin, depth + 1) for index, item in enumerate(value)]
        return ListNode(mark, items=items_)
    if value is None or isinstance(value, (str, int, float)):
        return Node(mark, value)
    if hasattr(value, "__fspath__"):
        return Node(mark, str(value))
    raise ValueError(f"{mark.where}: {type(value).__name__} is not a value a spec can hold")


def moved(node: Node, path: Place, mark: Mark | None = None) -> Node:
    """Return the tree under another path; with `mark`, all of it at that place (values of `--set`)."""
    here = replace(mark or node.mark, path=path)
    if isinstance(node, MapNode):
        items = {name: moved(item, (*path, name), mark) for name, item in node.items.items()}
        keys = {name: replace(mark or node.key(name), path=(*path, name)) for name in node.items}
        return MapNode(here, items=items, keys=keys)
    if isinstance(node, ListNode):
        return ListNode(here, items=[moved(item, (*path, index), mark) for index, item in enumerate(node.items)])
    return Node(here, node.value)


def marks_below(node: Node, start: int) -> tuple[dict[Place, Mark], dict[Place, Mark]]:
    """Return the places of all values and all keys below a node, by path without its first `start` parts."""
    values: dict[Place, Mark] = {}
    keys: dict[Place, Mark] = {}
    waiting = [node]
    while waiting:
        one = waiting.pop()
        values[one.mark.path[start:]] = one.mark
        if isinstance(one, MapNode):
            keys.update({(*one.mark.path[start:], name): mark for name, mark in one.keys.items()})
            waiting += one.items.values()
        elif isinstance(one, ListNode):
            waiting += one.items
    return values, keys
