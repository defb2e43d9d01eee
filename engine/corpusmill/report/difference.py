"""The difference of two texts in a few lines, harmless for a terminal."""

from __future__ import annotations

from difflib import SequenceMatcher

from corpusmill.report.plain import visible

_LINES = 400
"""Lines compared after the first difference: matching takes the square of it."""


def difference(before: str, after: str, shown: int = 6, width: int = 100) -> list[str]:
    """Return the changed lines, `- old` and `+ new`, at most `shown` of them and then how many more there are.

    A line that changed only in what a terminal cannot show (controls, blanks, normal forms) is shown escaped.
    """
    old, new = before.split("\n"), after.split("\n")
    start = next((at for at, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    old, new = old[start:], new[start:]
    while old and new and old[-1] == new[-1]:
        old, new = old[:-1], new[:-1]
    cut = len(old) > _LINES or len(new) > _LINES
    lines = _changed(old[:_LINES], new[:_LINES], width)
    if len(lines) <= shown:
        return [*lines, "… more changed"] if cut else lines
    more = "more" if cut else str(len(lines) - shown)
    return [*lines[:shown], f"… {more} changed lines"]


def _changed(old: list[str], new: list[str], width: int) -> list[str]:
    lines = []
    for kind, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind != "equal":
            left, right = [visible(line) for line in old[a:b]], [visible(line) for line in new[c:d]]
            if left == right:
                left, right = [ascii(line) for line in old[a:b]], [ascii(line) for line in new[c:d]]
            lines += [*(f"- {visible(line, width)}" for line in left), *(f"+ {visible(line, width)}" for line in right)]
    return lines
