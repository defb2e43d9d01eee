"""The difference of two texts in a few lines, harmless for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher

from corpusmill.report.plain import visible

_LINES = 400
"""Lines compared after the first difference: matching takes the square of it."""


def difference(before: str, after: str, shown: int = 6, width: int = 100) -> list[str]:
    """Return the changed lines, `- old` and `+ new`, at most `shown` of them and then how many more there are.

    Lines that changed only in what a terminal cannot show (controls, blanks) are shown escaped. Of a long difference
    the first old and the first new lines are shown.
    """
    old, new = _lines(before), _lines(after)
    start = next((at for at, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    old, new = old[start:], new[start:]
    while old and new and old[-1] == new[-1]:
        old, new = old[:-1], new[:-1]
    cut = len(old) > _LINES or len(new) > _LINES
    lines = [f"{sign} {visible(line, width)}".rstrip() for sign, line in _changed(old[:_LINES], new[:_LINES])]
    if len(lines) <= shown:
        return [*lines, "… more lines changed"] if cut else lines
    gone, come = [line for line in lines if line[0] == "-"], [line for line in lines if line[0] == "+"]
    room = max(shown // 2, shown - len(come))
    some = [*gone[:room], *come[: shown - min(room, len(gone))]]
    more = "" if cut else f"{len(lines) - len(some)} "
    return [*some, f"… {more}more lines changed"]


def _lines(text: str) -> list[str]:
    return text.split("\n") if text else []


def _changed(old: list[str], new: list[str]) -> Iterator[tuple[str, str]]:
    for kind, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        left, right = old[a:b], new[c:d]
        if [visible(line) for line in left] == [visible(line) for line in right]:
            left, right = [ascii(line) for line in left], [ascii(line) for line in right]
        yield from (("-", line) for line in left)
        yield from (("+", line) for line in right)
