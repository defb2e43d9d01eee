"""Which segments repeat an earlier one: found a key range at a time, handed out part by part."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from corpusmill.exchange.key_sort import key_runs, sort_keys
from corpusmill.exchange.row_table import RowTable
from corpusmill.exchange.segment_sketch import Spans
from corpusmill.exchange.sketch_file import SketchFile

Numbers = npt.NDArray[np.int64]
Keys = npt.NDArray[np.uint64]

KEY_BLOCK = 1 << 21


@dataclass(frozen=True)
class SegmentSource:
    """The segments of one part; `spans` and `mask`, bool (rows,), where only some of its rows take part."""

    sketch: SketchFile
    spans: Spans | None = None
    mask: npt.NDArray[np.bool_] | None = None

    def entries(self, start: int, stop: int) -> tuple[Keys, Keys, Numbers]:
        """Return both halves of the keys and the segment numbers at positions `start` to `stop`, of selected rows."""
        found = self.sketch.entries(start, stop)
        low = np.empty(0, np.uint64) if found.key_low is None else found.key_low
        if self.mask is None or self.spans is None:
            return found.key, low, found.row.astype(np.int64)
        taken = self.mask[self.spans.row[found.row]]
        return found.key[taken], low[taken], found.row[taken].astype(np.int64)


def repeated_segments(
    sources: Sequence[SegmentSource],
    bases: Sequence[int],
    low: int,
    high: int,
    *,
    preferred: int = 0,
    key_block: int = KEY_BLOCK,
) -> Numbers:
    """Return the segments with a key in [low, high) that repeat a better-ranked one: int64 (n,), ascending.

    Segment `s` of source `i` has the number `bases[i] + s`, bases ascending. The best of equal keys is the one with
    the lowest (rank, number); numbers below `preferred` rank first and are not returned. Memory is bounded by the
    block, the largest bucket and the result, which depends on neither.
    """
    table = RowTable([source.sketch for source in sources], bases, preferred)
    found = [
        _repeats(table, *sort_keys(keys, low_keys, numbers, first, last))
        for first, last, keys, low_keys, numbers in _blocks(sources, bases, low, high, key_block)
    ]
    repeated = np.concatenate(found) if found else np.empty(0, np.int64)
    return np.sort(repeated[repeated >= preferred])


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


def _blocks(
    sources: Sequence[SegmentSource], bases: Sequence[int], low: int, high: int, block: int
) -> Iterator[tuple[int, int, Keys, Keys, Numbers]]:
    """Yield sub-ranges of about `block` keys: first and last key, then keys and numbers of all sources, in order."""
    total = sum(int(np.diff(source.sketch.positions([low, high]))[0]) for source in sources)
    cuts = min(max(1, -(-total // block)), high - low)
    bounds = [low + (high - low) * index // cuts for index in range(cuts + 1)]
    positions = [source.sketch.positions(bounds) for source in sources]
    for index in range(cuts):
        taken = [
            (*source.entries(int(places[index]), int(places[index + 1])), base)
            for source, places, base in zip(sources, positions, bases, strict=True)
            if places[index] < places[index + 1]
        ]
        if taken:
            keys, low_keys = (np.concatenate([one[half] for one in taken]) for half in (0, 1))
            numbers = np.concatenate([one[2] + one[3] for one in taken])
            yield bounds[index], bounds[index + 1] - 1, keys, low_keys, numbers
