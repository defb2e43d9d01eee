"""Cuts a document into words under one of two rules, and notes what kind of word each is.

*Layout.* `flag_bytes` first writes the flags of a document's characters to `flags` uint16, one entry a byte and
one more:
those of the character at its first byte, CONTINUES at its other bytes (with SPACE, if it is white space), SPACE at the
end. All that follows walks that array and decodes nothing; places are bytes from the document's start. Its words
go to four arrays, one entry a word in order: `begins` int64, `ends` int64, `lengths` int32 (characters), `traits`
uint8 (the bits below). The arrays must hold one entry a byte
of the document. `RULE_UNICODE` and `RULE_WHITESPACE` are defined in `plain.words`.
"""

from __future__ import annotations

from numba import int64, uint8, uint16

from corpusmill_plugins.kernels.compiled import kernel
from corpusmill_plugins.kernels.plain.characters import (
    ALNUM,
    ALPHA,
    DIGIT,
    JOINS_DIGITS,
    JOINS_LETTERS,
    LETTER,
    MARK,
    PUNCTUATION,
    SOLO,
    SPACE,
    SYMBOL,
)

RULE_UNICODE = 0
RULE_WHITESPACE = 1
RULES = {"unicode": RULE_UNICODE, "whitespace": RULE_WHITESPACE}

SOLID = 1
"""Some character is not punctuation."""
ALNUM_FIRST = 2
"""The first character is alphanumeric."""
HAS_ALPHA = 4
"""Some character is alphabetic."""
HAS_SYMBOL = 8
"""Some character is `#` or the ellipsis character."""

CONTINUES = 32768
"""A byte that is not the first of its character."""

_RUN = LETTER | DIGIT | MARK
_JOINS = JOINS_LETTERS | JOINS_DIGITS


@kernel
def flag_bytes(data, start, stop, ascii_flags, index, pages, flags):  # type: ignore[no-untyped-def]
    """Write the flags of bytes [start, stop). Decoding stands here, not in a function: calls that take arrays cost."""
    at = start
    while at < stop:
        place = at - start
        first = int64(data[at])
        if first < 0x80:
            flags[place] = ascii_flags[first]
            at += 1
            continue
        second = int64(data[at + 1] & 0x3F)
        size = 2
        point = ((first & 0x1F) << 6) | second
        if first >= 0xF0:
            size = 4
            third = int64(data[at + 2] & 0x3F)
            point = ((first & 0x07) << 18) | (second << 12) | (third << 6) | int64(data[at + 3] & 0x3F)
        elif first >= 0xE0:
            size = 3
            point = ((first & 0x0F) << 12) | (second << 6) | int64(data[at + 2] & 0x3F)
        entry = pages[(int64(index[point >> 8]) << 8) + (point & 255)]
        size = min(size, stop - at)
        flags[place] = entry
        for offset in range(1, size):
            flags[place + offset] = uint16(CONTINUES) | (entry & uint16(SPACE))
        at += size
    flags[stop - start] = uint16(SPACE)


@kernel
def joins(before, character, after):  # type: ignore[no-untyped-def]
    """True if a mark stays inside a run, by the flags of the three characters."""
    letters = (character & JOINS_LETTERS) != 0 and (before & LETTER) != 0 and (after & LETTER) != 0
    return letters or ((character & JOINS_DIGITS) != 0 and (before & DIGIT) != 0 and (after & DIGIT) != 0)


@kernel
def traits_of(first, union, common):  # type: ignore[no-untyped-def]
    """The traits of a word from the flags of its first character, of any, and of all."""
    solid = uint8(SOLID) * uint8((common & PUNCTUATION) == 0)
    alnum = uint8(ALNUM_FIRST) * uint8((first & ALNUM) != 0)
    alpha = uint8(HAS_ALPHA) * uint8((union & ALPHA) != 0)
    return solid | alnum | alpha | uint8(HAS_SYMBOL) * uint8((union & SYMBOL) != 0)


@kernel
def split_words(data, start, size, rule, flags, begins, ends, lengths, traits):  # type: ignore[no-untyped-def]
    """Cut the document of `size` bytes at `start` into words; returns how many there are."""
    count = 0
    at = 0
    while at < size:
        first = flags[at]
        if first & SPACE:
            at += 1
            continue
        begin = at
        last = union = common = first
        length = 1
        at += 1
        while flags[at] & CONTINUES:
            at += 1
        if rule == RULE_WHITESPACE:
            while (flags[at] & SPACE) == 0:
                flag = flags[at]
                at += 1
                if (flag & CONTINUES) == 0:
                    union |= flag
                    common &= flag
                    length += 1
        elif first & _RUN:
            while True:
                flag = flags[at]
                if flag & (LETTER | DIGIT):
                    last = flag
                elif flag & CONTINUES:
                    at += 1
                    continue
                elif (flag & MARK) == 0:
                    if (flag & _JOINS) == 0:
                        break
                    after = at + 1
                    while flags[after] & CONTINUES:
                        after += 1
                    if not joins(last, flag, flags[after]):
                        break
                union |= flag
                common &= flag
                length += 1
                at += 1
        else:
            width = at - begin
            while (first & SOLO) == 0 and at + width <= size and same(data, start + begin, start + at, width):
                length += 1
                at += width
            while flags[at] & (MARK | CONTINUES):
                if (flags[at] & CONTINUES) == 0:
                    union |= flags[at]
                    common &= flags[at]
                    length += 1
                at += 1
        begins[count] = begin
        ends[count] = at
        lengths[count] = length
        traits[count] = traits_of(first, union, common)
        count += 1
    return count


@kernel
def same(data, left, right, size):  # type: ignore[no-untyped-def]
    """True if `size` bytes at two places are equal."""
    offset = 0
    while offset < size and data[left + offset] == data[right + offset]:
        offset += 1
    return offset == size


def word_list(text: str, rule: str) -> list[tuple[str, int]]:
    """Cut one text with the kernel: (word, traits) each. For tests and for looking at a rule."""
    import numpy as np

    from corpusmill_plugins.kernels.codepoints import tables
    from corpusmill_plugins.kernels.text import TextBuffer

    buffer, table = TextBuffer.of_texts([text]), tables()
    size = int(buffer.ends[0])
    flags = np.empty(size + 1, np.uint16)
    begins, ends = np.empty(size + 1, np.int64), np.empty(size + 1, np.int64)
    lengths, traits = np.empty(size + 1, np.int32), np.empty(size + 1, np.uint8)
    flag_bytes(buffer.data, 0, size, table.ascii_flags, table.flag_index, table.flag_pages, flags)
    count = split_words(buffer.data, 0, size, RULES[rule], flags, begins, ends, lengths, traits)
    data = buffer.data.tobytes()
    return [(data[begins[i] : ends[i]].decode(), int(traits[i])) for i in range(count)]
