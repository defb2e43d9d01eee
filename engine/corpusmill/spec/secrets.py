"""Secrets: values that `${env:X}` brought in, kept out of everything that is shown or stored."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote, quote_plus

SHORTEST = 3
"""Characters a value needs to be hidden: of shorter ones every text is full."""
MET: dict[str, str] = {}
"""What this process has met: value -> what is shown in its place. The command line hides it in errors it prints."""


def redact(text: str, secrets: Mapping[str, str]) -> str:
    """Return the text with each secret value replaced; longest first, so that no tail of one is left over.

    `secrets`: value -> what is shown in its place. Values are also found as `repr`, JSON and URLs spell them.
    """
    if not secrets:
        return text
    spelt, pattern = _pattern(tuple(sorted(secrets.items())))
    return pattern.sub(lambda found: spelt[found[0]], text) if spelt else text


@lru_cache(8)
def _pattern(secrets: tuple[tuple[str, str], ...]) -> tuple[dict[str, str], re.Pattern[str]]:
    spelt = {way: shown for value, shown in secrets if len(value) >= SHORTEST for way in _spellings(value)}
    return spelt, re.compile("|".join(map(re.escape, sorted(spelt, key=len, reverse=True))))


def redact_values(value: Any, secrets: Mapping[str, str]) -> Any:
    """Return JSON values with every text in them, keys included, redacted."""
    if not secrets:
        return value
    if isinstance(value, str):
        return redact(value, secrets)
    if isinstance(value, Mapping):
        return {redact_values(key, secrets): redact_values(one, secrets) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [redact_values(one, secrets) for one in value]
    return value


def redact_error(error: BaseException, secrets: Mapping[str, str]) -> BaseException:
    """Return the error with no secret in its words, nor in those of the errors behind it.

    The same error where its words are told by what it holds; one that still tells a secret is replaced.
    """
    if not secrets:
        return error
    behind: BaseException | None = error
    seen: set[int] = set()
    while behind is not None and id(behind) not in seen:
        seen.add(id(behind))
        behind.args = tuple(redact_values(one, secrets) for one in behind.args)
        for name, value in list(vars(behind).items()):
            if isinstance(value, str):
                setattr(behind, name, redact(value, secrets))
        if isinstance(behind, OSError) and isinstance(behind.filename, str):
            behind.filename = redact(behind.filename, secrets)
        behind = behind.__cause__ or behind.__context__
    said = str(error)
    if redact(said, secrets) == said:
        return error
    return RuntimeError(f"{type(error).__name__}: {redact(said, secrets)}")


def from_environment(names: Iterable[str], environment: Mapping[str, str]) -> dict[str, str]:
    """Return value -> `${env:NAME}` of those variables that are set to something."""
    return {environment[name]: f"${{env:{name}}}" for name in names if environment.get(name)}


def _spellings(value: str) -> set[str]:
    ways = {value, repr(value)[1:-1], ascii(value)[1:-1], quote(value), quote(value, safe=""), quote_plus(value)}
    ways |= {json.dumps(value, ensure_ascii=ensure)[1:-1] for ensure in (True, False)}
    return ways
