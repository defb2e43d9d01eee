"""References in `needs`: `ID[.OUTPUT][.SPLIT]`, `run:NAME[@TIMESTAMP]/ID…`, `store:DIGEST`."""

from __future__ import annotations

import re

from corpusmill.spec.model import Ref
from corpusmill.spec.nodes import ListNode, MapNode, Node
from corpusmill.spec.problems import Problems
from corpusmill.spec.scalars import type_name

ID = re.compile(r"[a-z][a-z0-9-]*")
_NAME = r"[A-Za-z0-9_-]+"
_LOCAL = re.compile(rf"({ID.pattern})((?:\.{_NAME}){{0,2}})")
_RUN = re.compile(rf"run:([^/@\s]+(?:@[^/\s]+)?)/({ID.pattern})((?:\.{_NAME}){{0,2}})")
_STORE = re.compile(r"store:([0-9a-f]{8,})")
PATTERN = "|".join(f"^{form.pattern}$" for form in (_LOCAL, _RUN, _STORE))
"""A reference as a pattern, for the editor's schema."""
_EXPECTED = "STEP, STEP.OUTPUT, STEP.SPLIT, run:NAME/STEP or store:DIGEST"

Needs = dict[str | None, list[Ref]]


def read_needs(node: Node, step: str, problems: Problems) -> Needs:
    """Return port -> references; the key None holds those given without a port."""
    if not isinstance(node, MapNode):
        return {None: _references(node, step, problems)}
    return {port: _port(item, step, problems) for port, item in node.items.items()}


def _port(node: Node, step: str, problems: Problems) -> list[Ref]:
    if not isinstance(node, MapNode):
        return _references(node, step, problems)
    found = []
    for role, item in node.items.items():
        found += _references(item, step, problems, role)
    return found


def _references(node: Node, step: str, problems: Problems, role: str | None = None) -> list[Ref]:
    items = node.items if isinstance(node, ListNode) else [node]
    if not items:
        problems.add("a list of inputs without any", node.mark, step=step, expected=_EXPECTED, hint="leave `needs` out")
        problems.silence(node.mark)
    return [ref for item in items if (ref := _reference(item, step, problems, role)) is not None]


def _reference(node: Node, step: str, problems: Problems, role: str | None) -> Ref | None:
    text = node.value
    if not isinstance(text, str) or isinstance(node, (ListNode, MapNode)):
        what = "a list" if isinstance(node, ListNode) else "a mapping" if isinstance(node, MapNode) else type_name(text)
        problems.add(f"{what} where a reference belongs", node.mark, step=step, expected=_EXPECTED)
        return None
    local, run, store = _LOCAL.fullmatch(text), _RUN.fullmatch(text), _STORE.fullmatch(text)
    if local:
        return Ref(text, local[1], role=role, tail=_tail(local[2]), mark=node.mark)
    if run:
        return Ref(text, run[2], run=run[1], role=role, tail=_tail(run[3]), mark=node.mark)
    if store:
        return Ref(text, store=store[1], role=role, mark=node.mark)
    problems.add(f"not a reference: {text!r}", node.mark, step=step, expected=_EXPECTED)
    problems.silence(node.mark)
    return None


def _tail(text: str) -> tuple[str, ...]:
    return tuple(part for part in text.split(".") if part)
