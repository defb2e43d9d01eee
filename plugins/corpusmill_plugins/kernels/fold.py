"""Folds a document into words of UTF-8 bytes with zero bytes between them: case, marks, forms and digits made alike.

*Layout.* Input: bytes [start, stop) of a padded buffer. Output: `out` uint8, UTF-8 of folded characters; one or more
zero bytes separate words; a letter of a script without spaces stands between zeros; every decimal digit is "0", runs
of it one "0"; at least 16 zero bytes follow. No word holds a zero byte, so the next kernel finds words by finding
zeros, eight bytes at a time. Definition: `plain.folding`.

*Speed.* A document is OR-ed together first: below 0x80 it takes a loop without branches over slices (SIMD). Others
take ASCII in runs the same way and look only the rest up.
"""

from __future__ import annotations

from numba import int64, uint8, uint32, uint64

from corpusmill_plugins.kernels.bits import HIGH_BITS, LOW_BITS, load64, store64, trailing_zeros
from corpusmill_plugins.kernels.compiled import kernel

ROOM = 160
"""Bytes that must be free before a character is written: the longest expansion (18 letters) and the closing zeros."""

ZEROS = 0x3030303030303030
LETTER_ITSELF = 2 << 29
SOLO_ITSELF = 3 << 29


@kernel
def fold_ascii(source, out):  # type: ignore[no-untyped-def]
    """Fold ASCII: letters lower, digits "0", all else zero. Slices of equal length; vectorises."""
    for index in range(source.shape[0]):
        byte = source[index]
        lower = uint8(byte | uint8(32))
        letter = uint8(lower - uint8(97)) < uint8(26)
        digit = uint8(byte - uint8(48)) < uint8(10)
        out[index] = lower if letter else (uint8(48) if digit else uint8(0))


@kernel
def write_utf8(out, at, point):  # type: ignore[no-untyped-def]
    """Encode one code point; returns the place after it."""
    if point < 0x80:
        out[at] = uint8(point)
        return at + 1
    if point < 0x800:
        out[at] = uint8(0xC0 | (point >> 6))
        out[at + 1] = uint8(0x80 | (point & 0x3F))
        return at + 2
    if point < 0x10000:
        out[at] = uint8(0xE0 | (point >> 12))
        out[at + 1] = uint8(0x80 | ((point >> 6) & 0x3F))
        out[at + 2] = uint8(0x80 | (point & 0x3F))
        return at + 3
    out[at] = uint8(0xF0 | (point >> 18))
    out[at + 1] = uint8(0x80 | ((point >> 12) & 0x3F))
    out[at + 2] = uint8(0x80 | ((point >> 6) & 0x3F))
    out[at + 3] = uint8(0x80 | (point & 0x3F))
    return at + 4


@kernel
def write_solo(out, at, point):  # type: ignore[no-untyped-def]
    """Write a letter that is a word of its own, between zeros."""
    if at > 0 and out[at - 1] != 0:
        out[at] = 0
        at += 1
    at = write_utf8(out, at, point)
    out[at] = 0
    return at + 1


@kernel
def write_folded(out, at, point, entry, expansions):  # type: ignore[no-untyped-def]
    """Write what the table's entry of a code point says; returns the place after it."""
    kind = entry >> uint32(29)
    value = int64(entry & uint32(0x1FFFFFFF))
    if kind == 2:
        return write_utf8(out, at, (point + value) & 0x1FFFFF)
    if kind == 3:
        return write_solo(out, at, (point + value) & 0x1FFFFF)
    if kind == 0:
        out[at] = 0
        return at + 1
    if kind == 4:
        for place in range(value + 1, value + 1 + int64(expansions[value])):
            item = expansions[place]
            if item & uint32(0x80000000):
                at = write_solo(out, at, int64(item & uint32(0x1FFFFF)))
            else:
                at = write_utf8(out, at, int64(item))
    return at


@kernel
def fold_block(block):  # type: ignore[no-untyped-def]
    """Fold eight ASCII bytes in one register, as `fold_ascii` does: per byte, bit 7 of a sum says "at least"."""
    lower = block | uint64(0x2020202020202020)
    letters = (lower + uint64(0x1F1F1F1F1F1F1F1F)) & ~(lower + uint64(0x0505050505050505)) & HIGH_BITS
    digits = (block + uint64(0x5050505050505050)) & ~(block + uint64(0x4646464646464646)) & HIGH_BITS
    letters = (letters >> uint64(7)) * uint64(0xFF)
    digits = (digits >> uint64(7)) * uint64(0xFF)
    return (lower & letters) | (uint64(ZEROS) & digits)


@kernel
def fold_mixed(data, start, stop, out, index, pages, expansions):  # type: ignore[no-untyped-def]
    """Fold text that is not all ASCII; returns the bytes written, or -1 if `out` is too small.

    ASCII goes eight bytes at a time. Of the rest, letters that fold to themselves (nearly all Chinese) are copied.
    """
    at = start
    written = 0
    while at < stop:
        if written + ROOM > out.shape[0]:
            return -1
        block = load64(data, at)
        high = block & HIGH_BITS
        plain = min(int64(trailing_zeros(high) >> uint64(3)), stop - at)
        if plain > 0:
            store64(out, written, fold_block(block & ~HIGH_BITS))
            written += plain
            at += plain
            continue
        first, second = int64(data[at]), int64(data[at + 1] & 0x3F)
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
        if entry == SOLO_ITSELF:
            out[written] = 0
            written += written > 0 and out[written - 1] != 0
            store64(out, written, block)
            written += size
            out[written] = 0
            written += 1
        elif entry == LETTER_ITSELF:
            store64(out, written, block)
            written += size
        else:
            written = write_folded(out, written, point, entry, expansions)
        at += size
    return written


@kernel
def join_digits(out, size):  # type: ignore[no-untyped-def]
    """Shorten runs of "0" to one, in place; returns the new size. Eight bytes without a "0" move at once."""
    at = 0
    kept = 0
    before = uint8(0)
    while at < size:
        block = load64(out, at)
        zeros = block ^ uint64(ZEROS)
        if at + 8 <= size and ((zeros - LOW_BITS) & ~zeros & HIGH_BITS) == 0:
            store64(out, kept, block)
            kept += 8
            at += 8
            before = uint8(block >> uint64(56))
            continue
        for _ in range(min(8, size - at)):
            byte = out[at]
            out[kept] = byte
            kept += not (byte == 48 and before == 48)
            before = byte
            at += 1
    return kept


@kernel
def fold(data, start, stop, out, index, pages, expansions):  # type: ignore[no-untyped-def]
    """Fold one document; returns the bytes written, or -1 if `out` is too small for it."""
    if stop - start + ROOM > out.shape[0]:
        return -1
    source = data[start:stop]
    union = uint8(0)
    for place in range(source.shape[0]):
        union = uint8(union | source[place])
    if union < 128:
        written = stop - start
        fold_ascii(source, out[:written])
    else:
        written = fold_mixed(data, start, stop, out, index, pages, expansions)
        if written < 0:
            return -1
    written = join_digits(out, written)
    for place in range(16):
        out[written + place] = 0
    return written
