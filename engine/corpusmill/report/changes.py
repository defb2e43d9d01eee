"""Changes inside a line: which words went and came (characters, where a script has no blanks), cut out to be read."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from corpusmill.report.plain import width

_IDEOGRAPHS = "\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
_PIECE = re.compile(rf"[{_IDEOGRAPHS}]|[^\W{_IDEOGRAPHS}]+|\s+|.", re.DOTALL)
_PIECES = 1_500
"""Pieces compared between the first difference and the last: matching takes the square of them."""
_CONTEXT = 20
"""Characters shown on each side of a change."""
_ALIKE = 0.3
"""Share of a line that must have stayed for its changes to be told apart from a line replaced by another."""


@dataclass(frozen=True)
class Span:
    """A piece of a line; `changed`: it went or came."""

    text: str
    changed: bool = False


Side = tuple[Span, ...]


@dataclass(frozen=True)
class Change:
    """A stretch of a line as it was and as it is, with what stands around it."""

    old: Side
    new: Side


def changes(old: str, new: str, cells: int) -> list[Change] | None:
    """Return the changed stretches of a line, each within so many terminal cells; None where little of it stayed."""
    blocks = list(_blocks(_PIECE.findall(old), _PIECE.findall(new)))
    same = sum(len(a) for kept, a, _ in blocks if kept)
    if same < _ALIKE * max(len(old), len(new)):
        return None
    whole = _change(blocks)
    if max(side_width(whole.old), side_width(whole.new)) <= cells:
        return [whole]
    return [_within(_change(group), cells) for group in _groups(blocks)]


def side_width(side: Side) -> int:
    """Terminal cells of one side of a change."""
    return sum(width(span.text) for span in side)


def cut(side: Side, cells: int) -> Side:
    """Return the beginning of a side that fits into so many cells, an ellipsis at its end where something is left."""
    if side_width(side) <= cells:
        return side
    taken, room = [], cells - 1
    for span in side:
        text = _fitting(span.text, room)
        taken.append(Span(text, span.changed))
        room -= width(text)
        if text != span.text:
            break
    return (*taken, Span("…"))


def _fitting(text: str, cells: int) -> str:
    for place, letter in enumerate(text):
        cells -= 0 if unicodedata.combining(letter) else width(letter)
        if cells < 0:
            return text[:place]
    return text


def _blocks(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[bool, str, str]]:
    """Yield (stayed, old text, new text) in order; the ends that are the same are not compared piece by piece."""
    ahead = next((at for at, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    most = min(len(old), len(new)) - ahead
    behind = next((at for at in range(most) if old[-1 - at] != new[-1 - at]), most)
    left, right = old[ahead : len(old) - behind], new[ahead : len(new) - behind]
    if ahead:
        yield True, "".join(old[:ahead]), ""
    if max(len(left), len(right)) > _PIECES:
        yield False, "".join(left), "".join(right)
    else:
        for kind, a, b, c, d in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
            # A blank between two changed words belongs to the change.
            stayed = kind == "equal" and not "".join(left[a:b]).isspace()
            yield stayed, "".join(left[a:b]), "".join(right[c:d])
    if behind:
        yield True, "".join(old[len(old) - behind :]), ""


def _change(blocks: Sequence[tuple[bool, str, str]]) -> Change:
    return Change(
        tuple(Span(old, not stayed) for stayed, old, _ in blocks if old),
        tuple(Span(old if stayed else new, not stayed) for stayed, old, new in blocks if (old if stayed else new)),
    )


def _groups(blocks: Sequence[tuple[bool, str, str]]) -> Iterator[list[tuple[bool, str, str]]]:
    """Yield changes that stand close together, with the text around them cut to its ends."""
    group: list[tuple[bool, str, str]] = []
    for place, (stayed, old, new) in enumerate(blocks):
        if not stayed or (len(old) <= 2 * _CONTEXT and group and place + 1 < len(blocks)):
            group.append((stayed, old, new))
        else:
            if group:
                yield [*group, (True, old if len(old) <= _CONTEXT else f"{old[:_CONTEXT]}…", "")]
            group = [(True, old if len(old) <= _CONTEXT else f"…{old[-_CONTEXT:]}", "")]
    if any(not stayed for stayed, *_ in group):
        yield group


def _within(change: Change, cells: int) -> Change:
    return Change(cut(change.old, cells), cut(change.new, cells))
