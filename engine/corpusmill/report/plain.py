"""Plain text: foreign text made harmless for a terminal, and numbers as people read them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

# Whole escape sequences go, not only their first byte: "\x1b[31mred" must not leave "[31m" behind.
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_])|\x9b[0-?]*[ -/]*[@-~]")
_SPACE = re.compile(r"[\s\x00-\x1f]+")
_DROPPED = {"Cc", "Cf", "Cn", "Co"}
"""Unicode categories never printed: controls, invisible formats (some reverse a line), unassigned, private."""


def visible(text: object, limit: int | None = None) -> str:
    """Return text on one line that cannot steer a terminal: no controls, escapes or direction marks.

    Line breaks and runs of blanks become one blank, lone surrogates a replacement mark; longer than `limit`
    characters is cut with an ellipsis.
    """
    plain = str(text) if limit is None else str(text)[: 4 * limit + 200]
    plain = _SPACE.sub(" ", _ESCAPES.sub("", plain))
    if not plain.isascii() or "\x7f" in plain:
        plain = "".join(map(_character, plain))
    plain = plain.strip()
    return plain if limit is None or len(plain) <= limit else plain[: max(limit - 1, 0)] + "…"


def _character(character: str) -> str:
    category = unicodedata.category(character)
    return "\ufffd" if category == "Cs" else "" if category in _DROPPED else character


RED, GREEN, YELLOW, DIM, BOLD, REVERSE = 31, 32, 33, 2, 1, 7
"""Codes of `painted`."""


def painted(text: str, *codes: int) -> str:
    """Return text in a colour or style of the terminal; `click.echo` takes it away where there is none."""
    return f"\x1b[{';'.join(map(str, codes))}m{text}\x1b[0m" if text and codes else text


def count(number: float | None) -> str:
    """1234567 -> '1,234,567'; None -> '-'."""
    return "-" if number is None else f"{number:,.0f}"


def share(part: float, whole: float) -> str:
    """Return a percentage with one decimal; '-' of nothing. Never '0.0 %' for something or '100.0 %' for less."""
    if not whole:
        return "-"
    percent = 100 * part / whole
    if 0 < percent < 0.1:
        return "<0.1 %"
    return ">99.9 %" if 99.9 < percent < 100 else f"{percent:.1f} %"


def duration(seconds: float | None) -> str:
    """0.4 -> '0.4 s', 75 -> '1 min 15 s', 7300 -> '2 h 1 min'; None -> '-'."""
    if seconds is None:
        return "-"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def number(value: object) -> str:
    """Return a measured value: integers with separators, floats with four significant digits, text made harmless."""
    if isinstance(value, bool) or value is None:
        return {None: "-", True: "yes", False: "no"}[value]
    if isinstance(value, int):
        return count(value)
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            return str(value)
        return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"
    return visible(value, 60)


def width(text: str) -> int:
    """Terminal cells a text takes: wide characters count twice, combining marks nothing."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(one) else 2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text
    )


def table(rows: Sequence[Sequence[str]], right: str = "", indent: str = "  ") -> list[str]:
    """Lay rows out in columns; `right` has an 'r' at the place of each right-aligned column ('.rr')."""
    if not rows:
        return []
    columns = max(len(row) for row in rows)
    widths = [max((width(row[at]) for row in rows if at < len(row)), default=0) for at in range(columns)]
    return [
        (indent + "  ".join(_cell(text, widths[at], right[at : at + 1] == "r") for at, text in enumerate(row))).rstrip()
        for row in rows
    ]


def _cell(text: str, cells: int, right: bool) -> str:
    blanks = " " * (cells - width(text))
    return blanks + text if right else text + blanks
