"""From YAML text to nodes with places; bombs are refused on the event stream, before anything recurses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml  # type: ignore[import-untyped,unused-ignore]

from corpusmill.spec.nodes import ListNode, MapNode, Node
from corpusmill.spec.problems import Mark, Problems
from corpusmill.spec.problems import Path as Place
from corpusmill.spec.scalars import plain_value

MAX_BYTES = 1_000_000
MAX_DEPTH = 64
# Above this size the C parser reads: fifteen times faster, but its words are poorer.
_C_ABOVE = 64_000


class _Stop(Exception):
    """Nothing after this point can be trusted."""


def compose(text: str, problems: Problems, origin: str = "") -> Node | None:
    """Return the document's root, or None when there is none; problems carry the places.

    Refused: more than 1 MB, more than 64 levels, tags, anchors and aliases, duplicate keys, keys that are not text,
    more than one document. Reading goes on after a refusal where the rest still makes sense.
    """
    if len(text) > MAX_BYTES:
        problems.add(f"the file is larger than {MAX_BYTES:,} bytes", expected="a pipeline file, not data")
        return None
    composer = _Composer(problems, origin)
    try:
        for event in _events(text):
            composer.take(event)
    except yaml.YAMLError as error:
        _syntax(error, problems, origin)
        return None
    except _Stop:
        return None
    return composer.root


def _events(text: str) -> Iterator[yaml.Event]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader) if len(text) > _C_ABOVE else yaml.SafeLoader
    events: Iterator[yaml.Event] = yaml.parse(text, Loader=loader)
    return events


def _syntax(error: yaml.YAMLError, problems: Problems, origin: str) -> None:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    words = getattr(error, "problem", None) or getattr(error, "reason", None) or "unreadable"
    context, start = getattr(error, "context", None), getattr(error, "context_mark", None)
    around = str(context).removeprefix("while parsing ").removeprefix("while scanning ")
    expected = f"{around} that starts on line {start.line + 1} to be completed" if context and start else None
    if isinstance(words, str) and "cannot start any token" in words:
        expected = "quotes around text that starts with @, `, % or a tab"
    place = Mark(mark.line + 1, mark.column + 1, origin=origin) if mark else Mark(origin=origin)
    problems.add(f"not valid YAML: {words}", place, expected=expected)


class _Composer:
    """Builds the tree with an explicit stack: one frame an open list or mapping."""

    def __init__(self, problems: Problems, origin: str) -> None:
        self.problems, self.origin = problems, origin
        self.root: Node | None = None
        self.open: list[ListNode | MapNode] = []
        self.pending: list[tuple[str, Mark] | None] = []
        self.documents = 0

    def take(self, event: yaml.Event) -> None:
        """Take one event."""
        if isinstance(event, yaml.DocumentStartEvent):
            self._document(event)
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            self.open.pop()
            self.pending.pop()
        elif isinstance(event, yaml.NodeEvent):
            self._node(event)

    def _document(self, event: yaml.Event) -> None:
        self.documents += 1
        if self.documents > 1:
            self.problems.add("a second document starts here", self._mark(event, ()), expected="one pipeline a file")
            raise _Stop

    def _node(self, event: yaml.NodeEvent) -> None:
        self._refuse_extras(event)
        if self.problems.more:
            raise _Stop
        if self._key_is_due():
            self._key(event)
            return
        mark = self._mark(event, self._path())
        if isinstance(event, yaml.MappingStartEvent):
            self._push(MapNode(mark))
        elif isinstance(event, yaml.SequenceStartEvent):
            self._push(ListNode(mark))
        else:
            self._place(Node(mark, self._scalar(event)))

    def _scalar(self, event: yaml.NodeEvent) -> object:
        if not isinstance(event, yaml.ScalarEvent):
            return None  # an alias, which was refused
        return plain_value(event.value) if not event.style else event.value

    def _refuse_extras(self, event: yaml.NodeEvent) -> None:
        mark = self._mark(event, self._path())
        if isinstance(event, yaml.AliasEvent):
            hint = "write the value out, or use params"
            self.problems.add(f"alias '*{event.anchor}'", mark, expected="no aliases", hint=hint)
            self.problems.silence(mark)
        elif event.anchor is not None:
            hint = "write the value out, or use params"
            self.problems.add(f"anchor '&{event.anchor}'", mark, expected="no anchors", hint=hint)
        written: str | None = getattr(event, "tag", None)
        if written is not None:
            tag = written.replace("tag:yaml.org,2002:", "!!")
            self.problems.add(f"tag {tag!r}", mark, expected="no tags: plain values only", hint="remove the tag")
            self.problems.silence(mark)

    def _key_is_due(self) -> bool:
        return bool(self.open) and isinstance(self.open[-1], MapNode) and self.pending[-1] is None

    def _key(self, event: yaml.NodeEvent) -> None:
        mapping = self.open[-1]
        assert isinstance(mapping, MapNode)
        if not isinstance(event, yaml.ScalarEvent):
            self.problems.add("a key that is not text", self._mark(event, mapping.mark.path), expected="KEY: VALUE")
            raise _Stop
        mark = self._mark(event, (*mapping.mark.path, event.value))
        if event.value in mapping.items:
            first = mapping.keys[event.value]
            what, hint = f"key {event.value!r} stands twice", "take one of them out"
            self.problems.add(what, first, expected="each key once", hint=hint)
            self.problems.add(what, mark, expected=f"each key once; first on line {first.line}", hint=hint)
        self.pending[-1] = (event.value, mark)

    def _push(self, node: ListNode | MapNode) -> None:
        self._place(node)
        self.open.append(node)
        self.pending.append(None)
        if len(self.open) > MAX_DEPTH:
            expected = f"a pipeline file: it needs less than {MAX_DEPTH} levels"
            self.problems.add(f"nested deeper than {MAX_DEPTH} levels", node.mark, expected=expected)
            raise _Stop

    def _place(self, node: Node) -> None:
        if not self.open:
            self.root = node
            return
        around, key = self.open[-1], self.pending[-1]
        if isinstance(around, MapNode):
            assert key is not None
            around.items.setdefault(key[0], node)
            around.keys.setdefault(*key)
            self.pending[-1] = None
        else:
            around.items.append(node)

    def _path(self) -> Place:
        if not self.open:
            return ()
        around, key = self.open[-1], self.pending[-1]
        if isinstance(around, MapNode):
            return (*around.mark.path, key[0]) if key else around.mark.path
        return (*around.mark.path, len(around.items))

    def _mark(self, event: yaml.Event, path: Place) -> Mark:
        # A parser's events have marks; only events that are made by hand do without.
        start: Any = event.start_mark
        end: Any = event.end_mark
        length = end.column - start.column if end.line == start.line else 1
        return Mark(start.line + 1, start.column + 1, max(1, length), path, self.origin)
