"""Cuts texts into lines, paragraphs or sentences, one walk over the bytes of a batch.

*Layout.* Results are three int64 arrays, one entry a segment, by (row, place): `rows`, and `starts` and `stops`, bytes
of the buffer. The walk is done twice, to count and to write: it costs less than arrays that are too long. What ends a
segment is told by the bytes of UTF-8, which need no decoding. Definition: `plain.spans`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpusmill_plugins.kernels.compiled import inlined, kernel
from corpusmill_plugins.kernels.segments import find_newline
from corpusmill_plugins.kernels.text import TextBuffer

LINE, PARAGRAPH, SENTENCE = 0, 1, 2
UNITS = {"line": LINE, "paragraph": PARAGRAPH, "sentence": SENTENCE}

LOOKED_AT = np.zeros(256, np.bool_)
"""Bytes that a mark may begin with, and the newline."""
LOOKED_AT[[10, 33, 46, 63, 0xE2, 0xE3, 0xEF]] = True

Places = npt.NDArray[np.int64]


def segment_spans(texts: TextBuffer, unit: str) -> tuple[Places, Places, Places]:
    """Return rows, starts and stops of the segments of all rows, int64 (n,) each; bytes of `texts.data`."""
    nothing = np.zeros(0, np.int64)
    count = cut(texts.data, texts.starts, texts.ends, UNITS[unit], False, nothing, nothing, nothing)
    rows, starts, stops = (np.empty(count, np.int64) for _ in range(3))
    cut(texts.data, texts.starts, texts.ends, UNITS[unit], True, rows, starts, stops)
    return rows, starts, stops


@inlined
def is_blank(byte):  # type: ignore[no-untyped-def]
    """True for ASCII white space."""
    return byte == 32 or (byte >= 9 and byte <= 13)


@kernel
def mark_size(data, at):  # type: ignore[no-untyped-def]
    """Bytes of the mark at a place that ends a sentence before a blank (. ! ? and the ellipsis), or 0."""
    first = data[at]
    if first == 46 or first == 33 or first == 63:
        return 1
    return 3 if first == 0xE2 and data[at + 1] == 0x80 and data[at + 2] == 0xA6 else 0


@kernel
def full_size(data, at):  # type: ignore[no-untyped-def]
    """Bytes of the full-width mark at a place, which ends a sentence anywhere, or 0."""
    first, second, third = data[at], data[at + 1], data[at + 2]
    if first == 0xE3:
        return 3 if second == 0x80 and third == 0x82 else 0
    if first != 0xEF:
        return 0
    return 3 if (second == 0xBC and (third == 0x81 or third == 0x9F)) or (second == 0xBD and third == 0xA1) else 0


@kernel
def closer_size(data, at):  # type: ignore[no-untyped-def]
    """Bytes of the quote or bracket at a place that closes, or 0."""
    first, second, third = data[at], data[at + 1], data[at + 2]
    if first < 0x80:
        return 1 if first == 34 or first == 39 or first == 41 or first == 93 or first == 125 else 0
    if first == 0xE2:
        return 3 if second == 0x80 and (third == 0x9D or third == 0x99) else 0
    if first == 0xE3:
        return 3 if second == 0x80 and (third == 0x8D or third == 0x8F or third == 0x8B or third == 0x91) else 0
    return 3 if first == 0xEF and second == 0xBC and third == 0x89 else 0


@kernel
def full_stop(data, at, end):  # type: ignore[no-untyped-def]
    """The place after full-width marks, and marks of any kind behind them; the same place where there is none."""
    size = full_size(data, at)
    while size > 0:
        at += size
        size = max(full_size(data, at), mark_size(data, at)) if at < end else 0
    return at


@kernel
def sentence_step(data, at, end):  # type: ignore[no-untyped-def]
    """The place after the next newline, or marks and closers; and whether a sentence ends there.

    It walks over what is no mark by itself: a call that takes arrays costs more than a character.
    """
    while at < end and not LOOKED_AT[data[at]]:
        at += 1
    if at == end or data[at] == 10:
        return at + 1, True
    after = full_stop(data, at, end)
    full = after > at
    size = 0 if full else mark_size(data, at)
    while size > 0:
        after += size
        size = mark_size(data, after) if after < end else 0
    if after == at:
        return at + 1, False
    size = closer_size(data, after) if after < end else 0
    while size > 0:
        after += size
        size = closer_size(data, after) if after < end else 0
    return after, full or after == end or is_blank(data[after])


@kernel
def paragraph_step(data, at, end):  # type: ignore[no-untyped-def]
    """The place after the next newline and the blanks behind it; and whether an empty line ends a paragraph there."""
    at = find_newline(data, at, end) + 1
    newline = False
    while at < end and is_blank(data[at]) and not newline:
        newline = data[at] == 10
        at += 1
    return at, newline


@kernel
def cut(data, first, last, unit, write, rows, starts, stops):  # type: ignore[no-untyped-def]
    """Return how many segments there are; with `write` note where they stand, blanks around them left out."""
    count = 0
    for row in range(first.shape[0]):
        begin = at = first[row]
        end = last[row]
        while at < end:
            ended = True
            if unit == SENTENCE:
                at, ended = sentence_step(data, at, end)
            elif unit == PARAGRAPH:
                at, ended = paragraph_step(data, at, end)
            else:
                at = find_newline(data, at, end) + 1
            if not ended and at < end:
                continue
            start, stop = begin, min(at, end)
            while start < stop and is_blank(data[start]):
                start += 1
            while stop > start and is_blank(data[stop - 1]):
                stop -= 1
            if start < stop:
                if write:
                    rows[count], starts[count], stops[count] = row, start, stop
                count += 1
            begin = at
    return count
