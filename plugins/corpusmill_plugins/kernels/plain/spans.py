"""Where the lines, paragraphs and sentences of a text stand, in bytes of its UTF-8, as plain Python."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

Span = tuple[int, int]

_BLANKS = b" \t\n\r\v\f"
_LINE = re.compile(rb"[^ \t\n\r\v\f](?:[^\n]*[^ \t\n\r\v\f])?")
_EMPTY_LINES = re.compile(rb"\n(?:[ \t\r\v\f]*\n)+")


def _any_of(characters: str) -> bytes:
    """Return a pattern for one of some characters in UTF-8, which no other character's bytes can match."""
    return b"(?:" + b"|".join(re.escape(one.encode()) for one in characters) + b")"


_MARKS, _FULL_MARKS, _CLOSERS = _any_of(".!?\u2026"), _any_of("\u3002\uff01\uff1f\uff61"), _any_of("\"')]}”’」』）》】")
_SENTENCE_END = re.compile(
    _MARKS + b"+" + _CLOSERS + rb"*(?=[ \t\r\v\f]|\Z)"
    b"|" + _FULL_MARKS + b"(?:" + _MARKS + b"|" + _FULL_MARKS + b")*" + _CLOSERS + rb"*|\n"
)  # fmt: skip


def line_spans(text: bytes) -> list[Span]:
    """Return the lines that are not blank, without the blanks around them."""
    return [match.span() for match in _LINE.finditer(text)]


def paragraph_spans(text: bytes) -> list[Span]:
    """Return what stands between empty lines (blanks in them do not count), without the blanks around it."""
    return _between(text, _EMPTY_LINES)


def sentence_spans(text: bytes) -> list[Span]:
    """Return the sentences, without the blanks around them.

    A sentence ends with `.`, `!`, `?` or an ellipsis before a blank or the end of the text; with a full-width mark
    (`。`, `！`, `？`, `｡`) anywhere; both with the quotes and brackets that close behind them; and with its line.
    Abbreviations are not told apart: the same text is always cut at the same places, which is what equality needs.
    """
    return _between(text, _SENTENCE_END)


SPANS: Mapping[str, Callable[[bytes], list[Span]]] = {
    "line": line_spans,
    "paragraph": paragraph_spans,
    "sentence": sentence_spans,
}


def _between(text: bytes, ends: re.Pattern[bytes]) -> list[Span]:
    return [
        (stop - len(piece.lstrip(_BLANKS)), stop)
        for start, end in _pieces(text, ends)
        if (stop := start + len(piece := text[start:end].rstrip(_BLANKS))) > start
    ]


def _pieces(text: bytes, ends: re.Pattern[bytes]) -> Iterator[Span]:
    start = 0
    for match in ends.finditer(text):
        yield start, match.end()
        start = match.end()
    yield start, len(text)
