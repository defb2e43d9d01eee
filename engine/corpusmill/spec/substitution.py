"""`${param:X}` and `${env:X}` in values; nothing else is ever substituted, and `$${` is a literal `${`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from corpusmill.errors import nearest
from corpusmill.spec.nodes import ListNode, MapNode, Node
from corpusmill.spec.problems import Problems
from corpusmill.spec.scalars import type_name
from corpusmill.spec.secrets import MET

_TOKEN = re.compile(r"\$\$\{|\$\{([^{}]*)\}|\$\{")
MISSING = object()
"""The value of a declared param that was given none."""

_NAMED = re.compile(r"(param|env):([A-Za-z_][A-Za-z0-9_-]*)")


class Substitution:
    """Replaces substitutions in a tree, in place; remembers what came from the environment."""

    def __init__(self, params: Mapping[str, Any] | None, environment: Mapping[str, str], problems: Problems) -> None:
        self.params, self.environment, self.problems = params, environment, problems
        self.failed = False

    def apply(self, node: Node) -> None:
        """Substitute in every scalar below a node; keys stay as they are."""
        if isinstance(node, MapNode):
            for item in node.items.values():
                self.apply(item)
        elif isinstance(node, ListNode):
            for item in node.items:
                self.apply(item)
        elif isinstance(node.value, str) and "${" in node.value:
            self.failed = False
            node.value = self._resolve(node)
            if self.failed:
                self.problems.silence(node.mark)

    def _resolve(self, node: Node) -> Any:
        whole = _TOKEN.fullmatch(node.value)
        if whole is not None and whole[1] is not None:
            return self._value(whole[1], node)
        return _TOKEN.sub(lambda match: self._text(match, node), node.value)

    def _text(self, match: re.Match[str], node: Node) -> str:
        if match[0] == "$${":
            return "${"
        if match[1] is None:
            self._malformed(match[0], node)
            return match[0]
        value = self._value(match[1], node)
        if self.failed:
            return ""
        if isinstance(value, (list, dict)) or value is None:
            what = f"{match[0]} is {type_name(value)}, and stands inside a text"
            self._fail(what, node, expected="text, a number or a bool")
            return ""
        return str(value).lower() if isinstance(value, bool) else str(value)

    def _value(self, inner: str, node: Node) -> Any:
        named = _NAMED.fullmatch(inner)
        if named is None:
            self._malformed(f"${{{inner}}}", node)
            return None
        return self._environment(named[2], node) if named[1] == "env" else self._param(named[2], node)

    def _environment(self, name: str, node: Node) -> str:
        if name not in self.environment:
            hint = f"export {name}=… before the run"
            self._fail(f"the environment variable {name!r} is not set", node, hint=hint)
            return ""
        value = self.environment[name]
        if value:
            self.problems.redacted[value] = MET[value] = f"${{env:{name}}}"
        return value

    def _param(self, name: str, node: Node) -> Any:
        if self.params is None:
            self._fail("a param cannot depend on another", node, expected="a value or ${env:NAME}")
        elif name not in self.params:
            near = nearest(name, self.params)
            hint = f"declare it: params: {{{name}: VALUE}}"
            self._fail(f"unknown param {name!r}", node, near=near, hint=None if near else hint)
        elif self.params[name] is MISSING:
            self.failed = True  # said where the param is declared
        else:
            return self.params[name]
        return None

    def _malformed(self, text: str, node: Node) -> None:
        self._fail(
            f"unknown substitution {text!r}", node, expected="${param:NAME} or ${env:NAME}; $${ for a literal ${"
        )

    def _fail(self, what: str, node: Node, **notes: str | None) -> None:
        self.problems.add(what, node.mark, **notes)
        self.failed = True
