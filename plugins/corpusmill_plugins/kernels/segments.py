"""Repeated lines and paragraphs of a document, under each dialect's idea of a segment.

*Layout.* A document's segments are looked up one by one in an open-addressing table: `keys` uint64 (0 is free), with
`counts` int32 beside it; both need a power of two of places, more than twice the segments. Results go to five places
of an int64 row: segments, their characters, repeats (occurrences after the first), their characters, members
(all occurrences of segments that occur twice or more), their characters.

Equality is of 64-bit hashes that hold the length in bytes.
"""

from __future__ import annotations

import numpy as np
from numba import int64, uint64

from corpusmill_plugins.kernels.bits import (
    GOLDEN,
    HIGH_BITS,
    LOW_BITS,
    count_characters,
    hash_range,
    load64,
    trailing_zeros,
)
from corpusmill_plugins.kernels.compiled import inlined, kernel
from corpusmill_plugins.kernels.plain.characters import SPACE

NEWLINES = LOW_BITS * np.uint64(10)


@kernel
def table_size(entries):  # type: ignore[no-untyped-def]
    """The power of two that holds `entries` at half load or less."""
    size = 16
    while size < 2 * entries:
        size *= 2
    return size


@inlined
def find_place(keys, mask, key):  # type: ignore[no-untyped-def]
    """The place of a key in a table, or the free place where it belongs."""
    place = int64((key * GOLDEN) >> uint64(20)) & mask
    while keys[place] != key and keys[place] != 0:
        place = (place + 1) & mask
    return place


@kernel
def find_newline(data, at, stop):  # type: ignore[no-untyped-def]
    """The first newline in bytes [at, stop), or `stop`; eight bytes at a time."""
    while at < stop:
        block = load64(data, at) ^ NEWLINES
        zero = (block - LOW_BITS) & ~block & HIGH_BITS
        if zero != 0:
            return min(at + int64(trailing_zeros(zero) >> uint64(3)), stop)
        at += 8
    return stop


@kernel
def count_segment(data, start, stop, keys, counts, mask, total, row):  # type: ignore[no-untyped-def]
    """Count one segment into `row`; its characters only if it is a repeat, or `total` is wanted."""
    key = hash_range(data, start, stop)
    place = find_place(keys, mask, key)
    if keys[place] == 0:
        keys[place] = key
        counts[place] = 0
    counts[place] += 1
    row[0] += 1
    times = counts[place]
    if total or times > 1:
        length = count_characters(data, start, stop)
        row[1] += length * total
        if times > 1:
            row[2] += 1
            row[3] += length
            new = 2 if times == 2 else 1
            row[4] += new
            row[5] += new * length


@kernel
def count_segments(data, base, first, stop, newlines, greedy, trim, flags, keys, counts, row):  # type: ignore[no-untyped-def]
    """Split at `newlines` newlines (`greedy`: at that many or more) and count repeats into `row`.

    `first`, `stop`: the part of the document to split, in bytes from its start at `base`. `trim` strips each segment
    and leaves empty ones out; without it an empty segment counts. Characters of all segments (row[1]) are counted with
    `trim` only: who does not trim measures against the text.
    """
    for place in range(6):
        row[place] = 0
    text = data[base + first : base + stop]
    breaks = 0
    for place in range(text.shape[0]):
        breaks += text[place] == 10
    mask = table_size(breaks + 1) - 1
    keys[: mask + 1] = 0
    end = base + stop
    begin = at = base + first
    while True:
        at = find_newline(data, at, end)
        run = 0
        while at + run < end and data[at + run] == 10:
            run += 1
        if at < end and run < newlines:
            at += run
            continue
        left, right = begin, at
        while trim and left < right and flags[left - base] & SPACE:
            left += 1
        while trim and right > left and flags[right - 1 - base] & SPACE:
            right -= 1
        if right > left or not trim:
            count_segment(data, left, right, keys, counts, mask, trim, row)
        if at == end:
            break
        at += run if greedy else newlines
        begin = at
