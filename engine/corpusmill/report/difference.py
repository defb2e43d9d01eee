"""The difference of two texts in a few lines, harmless for a terminal, what changed inside a line marked by colour."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import groupby

from corpusmill.report.changes import Side, Span, changes, cut
from corpusmill.report.plain import GREEN, RED, REVERSE, painted, visible
from corpusmill.report.plain import width as cells

_LINES = 400
"""Lines compared after the first difference: matching takes the square of it."""
_LONGEST = 1_000_000
"""Characters of a line that are looked at."""
_COLOURS = {"-": RED, "+": GREEN}

Line = tuple[str, Side]
"""`-` or `+`, and the pieces of the line."""


def difference(before: str, after: str, shown: int = 6, width: int = 100, *, colour: bool = False) -> list[str]:
    """Return the changed lines, `- old` and `+ new`, at most `shown` of them and then how many more there are.

    Of a line longer than `width` terminal cells the stretches around its changes are shown, each as a pair. Lines that
    changed only in what a terminal cannot show (controls, blanks, composed letters) are shown escaped. Of a long
    difference the first old and the first new lines are shown. `colour` paints old lines red and new ones green, what
    changed within them in reverse.
    """
    old, new = _lines(before), _lines(after)
    start = next((at for at, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    old, new = old[start:], new[start:]
    while old and new and old[-1] == new[-1]:
        old, new = old[:-1], new[:-1]
    more = len(old) > _LINES or len(new) > _LINES
    lines = list(_changed(old[:_LINES], new[:_LINES], width))
    some = _some(lines, shown)
    told = [_told(sign, cut(side, width), colour) for sign, side in some]
    if len(some) < len(lines) or more:
        told.append(f"… {'' if more else f'{len(lines) - len(some)} '}more lines changed")
    return told


def _some(lines: Sequence[Line], shown: int) -> list[Line]:
    """Return at most `shown` lines in their order: as many old as new ones where there are enough of both."""
    if len(lines) <= shown:
        return list(lines)
    gone = [place for place, (sign, _) in enumerate(lines) if sign == "-"]
    come = [place for place, (sign, _) in enumerate(lines) if sign == "+"]
    room = max(shown // 2, shown - len(come))
    chosen = sorted([*gone[:room], *come[: shown - min(room, len(gone))]])
    return [lines[place] for place in chosen]


def _told(sign: str, side: Side, colour: bool) -> str:
    pieces = groupby((Span(f"{sign} "), *side), lambda span: span.changed)
    told = [(changed, "".join(span.text for span in spans)) for changed, spans in pieces]
    if not colour:
        return "".join(text for _, text in told).rstrip()
    ink = _COLOURS[sign]
    return "".join(painted(text, ink, REVERSE) if changed else painted(text, ink) for changed, text in told)


def _lines(text: str) -> list[str]:
    return text.split("\n") if text else []


def _changed(old: list[str], new: list[str], width: int) -> Iterator[Line]:
    for kind, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind != "equal":
            yield from _block([line[:_LONGEST] for line in old[a:b]], [line[:_LONGEST] for line in new[c:d]], width)


def _block(old: list[str], new: list[str], width: int) -> Iterator[Line]:
    """Yield the lines that took each other's place: all that went, then all that came; long ones pair by pair."""
    left, right = _shown(old, new)
    if len(left) != len(right):
        yield from (("-", (Span(line),)) for line in left)
        yield from (("+", (Span(line),)) for line in right)
        return
    pairs = [pair for a, b in zip(left, right, strict=True) for pair in _pairs(a, b, width)]
    if any(cells(line) > width for line in (*left, *right)):
        for gone, come in pairs:
            yield from (("-", gone), ("+", come))
        return
    yield from (("-", gone) for gone, _ in pairs)
    yield from (("+", come) for _, come in pairs)


def _pairs(old: str, new: str, width: int) -> list[tuple[Side, Side]]:
    found = changes(old, new, width)
    return [((Span(old),), (Span(new),))] if found is None else [(one.old, one.new) for one in found]


def _shown(old: list[str], new: list[str]) -> tuple[list[str], list[str]]:
    """Return the lines as a terminal may show them; those that would look the same as what they became, escaped."""
    if len(old) != len(new):
        return [visible(line) for line in old], [visible(line) for line in new]
    pairs = [_apart(a, b) for a, b in zip(old, new, strict=True)]
    return [a for a, _ in pairs], [b for _, b in pairs]


def _apart(old: str, new: str) -> tuple[str, str]:
    left, right = visible(old), visible(new)
    if left == right and old != new:
        return repr(old), repr(new)
    if left != right and unicodedata.normalize("NFC", left) == unicodedata.normalize("NFC", right):
        return ascii(old), ascii(new)
    return left, right
