"""`--with OPTION=VALUE` on the command line: options as a spec would give them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click


def with_options(texts: Iterable[str], flag: str = "--with") -> dict[str, Any]:
    """Return options by name: values are YAML, dots go into nested ones. Raises BadParameter and SpecError."""
    given: dict[str, Any] = {}
    for text in texts:
        path, equals, value = text.partition("=")
        if not equals or not all(path.split(".")):
            raise click.BadParameter(f"{text!r}: expected OPTION=VALUE", param_hint=flag)
        target = given
        *groups, last = path.split(".")
        for group in groups:
            target = target.setdefault(group, {})
            if not isinstance(target, dict):
                raise click.BadParameter(f"{text!r}: {group!r} has a value already", param_hint=flag)
        target[last] = _value(path, value, flag)
    return given


def _value(path: str, text: str, flag: str) -> Any:
    from corpusmill.errors import SpecError
    from corpusmill.spec.composer import compose
    from corpusmill.spec.nodes import plain
    from corpusmill.spec.problems import Problems

    problems = Problems()
    node = compose(text, problems, f"{flag} {path}")
    if problems.found:
        raise SpecError(problems.sorted())
    return plain(node)
