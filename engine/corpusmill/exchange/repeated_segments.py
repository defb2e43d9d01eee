"""Which segments repeat an earlier one: found a key range at a time, handed out part by part."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from corpusmill.exchange.join import KEY_BLOCK, KeySource, Selection, key_blocks
from corpusmill.exchange.key_sort import key_runs, sort_keys
from corpusmill.exchange.row_table import RowTable

Numbers = npt.NDArray[np.int64]
Keys = npt.NDArray[np.uint64]


def repeated_segments(
    sources: Sequence[KeySource],
    bases: Sequence[int],
    selections: Sequence[Selection] | None,
    low: int,
    high: int,
    table: RowTable,
    *,
    key_block: int = KEY_BLOCK,
) -> Numbers:
    """Return the segments with a key in [low, high) that repeat a better-ranked one: int64 (n,), ascending.

    Segment `s` of source `i` has the number `bases[i] + s` (int64, bases ascending) in `table`, which knows its rank;
    where `selections[i]` is a mask, bool (segments,), only its true ones take part. The best of equal keys is the one
    with the lowest (rank, number); numbers below `table.preferred` rank first and are not returned. Memory is bounded
    by the block, the largest bucket and the result, which depends on neither.
    """
    found = [
        _repeats(table, *sort_keys(keys, low_keys, numbers, first, last))
        for first, last, keys, low_keys, numbers in key_blocks(sources, bases, selections, low, high, key_block)
    ]
    repeated = np.concatenate(found) if found else np.empty(0, np.int64)
    return np.sort(repeated[repeated >= table.preferred])


def part_repeats(columns: Sequence[Numbers], base: int, segments: int) -> npt.NDArray[np.uint32]:
    """Return the repeats among segments base..base+segments-1, counted from `base`, ascending.

    `columns`: what `repeated_segments` returned for each range.
    """
    slices = [column[slice(*np.searchsorted(column, [base, base + segments]))] for column in columns]
    found = np.sort(np.concatenate(slices)) if slices else np.empty(0, np.int64)
    return (found - base).astype(np.uint32)


def _repeats(table: RowTable, keys: Keys, low_keys: Keys, numbers: Numbers) -> Numbers:
    """Return all but the best of each run of equal keys; numbers of a run are ascending."""
    starts, ends = key_runs(keys, low_keys)
    steps = np.zeros(numbers.size + 1, np.int64)
    steps[starts] += 1
    steps[ends] -= 1
    inside = np.cumsum(steps[:-1]) > 0
    if not table.has_rank:
        inside[starts] = False
        repeated: Numbers = numbers[inside]
        return repeated
    first = np.zeros(numbers.size, bool)
    first[starts] = True
    members, bucket = numbers[inside], np.cumsum(first)[inside]
    order = np.lexsort((members, table.rank(members), bucket))
    best = np.ones(order.size, bool)
    best[1:] = bucket[order][1:] != bucket[order][:-1]
    ranked: Numbers = members[order][~best]
    return ranked
