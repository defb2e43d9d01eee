"""What commands print: tables, warnings and JSON, with nothing in them that could forge what a terminal shows."""

from __future__ import annotations

import json
import re
import shutil
import textwrap
from collections.abc import Sequence
from typing import Any

import click

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_WIDEST = 120


def clean(text: str) -> str:
    """Return text without control and direction-changing characters; line breaks stay."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def say(text: str = "") -> None:
    """Print text to standard output."""
    click.echo(clean(text))


def complain(text: str) -> None:
    """Print text to standard error."""
    click.echo(clean(text), err=True)


def say_json(value: Any) -> None:
    """Print a value as JSON."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=True, default=str))


def width() -> int:
    """Columns to fill: the terminal's, at most 120."""
    return min(_WIDEST, shutil.get_terminal_size((100, 24)).columns)


def say_rows(rows: Sequence[tuple[str, str]], indent: int = 2) -> None:
    """Print rows of (name, text), the text wrapped beside the longest name."""
    left = max((len(name) for name, _ in rows), default=0)
    room = max(30, width() - indent - left - 2)
    for name, text in rows:
        lines = textwrap.wrap(text, room) or [""]
        say(f"{' ' * indent}{name:<{left}}  {lines[0]}".rstrip())
        for line in lines[1:]:
            say(f"{' ' * (indent + left + 2)}{line}")
