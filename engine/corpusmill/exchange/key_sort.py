"""Bringing equal keys together: one distribution pass over well-mixed keys, then tiny sorts (numba)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from corpusmill.exchange.ranges import KEY_SPACE

# Cells up to this size are sorted by insertion; larger ones hold a big bucket or badly mixed keys.
_INSERTION = 24


@njit(cache=True, nogil=True)
def _cell_ends(high: Any, first: Any, shift: Any, ends: Any) -> int:
    """Count keys per cell; turn counts into the place where each cell starts, -1 for keys that are alone in theirs."""
    for i in range(high.size):
        ends[np.int64((high[i] - first) >> shift)] += 1
    place = 0
    for cell in range(ends.size):
        count = ends[cell]
        if count < 2:
            ends[cell] = -1
        else:
            ends[cell] = place
            place += count
    return place


@njit(cache=True, nogil=True)
def _distribute(high: Any, low: Any, rows: Any, first: Any, shift: Any, ends: Any, out: Any) -> None:
    """Move each key that may have an equal to its cell, keeping input order; `ends` then holds the cells' ends."""
    out_high, out_low, out_rows = out
    wide = low.size > 0
    for i in range(high.size):
        cell = np.int64((high[i] - first) >> shift)
        place = ends[cell]
        if place >= 0:
            out_high[place] = high[i]
            out_rows[place] = rows[i]
            if wide:
                out_low[place] = low[i]
            ends[cell] = place + 1


@njit(cache=True, nogil=True)
def _insertion_sort(high: Any, low: Any, rows: Any, start: int, stop: int) -> None:
    wide = low.size > 0
    for i in range(start + 1, stop):
        key, row = high[i], rows[i]
        rest = low[i] if wide else np.uint64(0)
        j = i - 1
        while j >= start and (high[j] > key or (wide and high[j] == key and low[j] > rest)):
            high[j + 1] = high[j]
            rows[j + 1] = rows[j]
            if wide:
                low[j + 1] = low[j]
            j -= 1
        high[j + 1] = key
        rows[j + 1] = row
        if wide:
            low[j + 1] = rest


@njit(cache=True, nogil=True)
def _merge_sort(high: Any, low: Any, rows: Any, start: int, stop: int) -> None:
    """Stable bottom-up merge sort of a large cell by key: linear in memory, n log n whatever the keys."""
    wide = low.size > 0
    count = stop - start
    order = np.arange(start, stop)
    other = np.empty(count, np.int64)
    width = 1
    while width < count:
        for left in range(0, count, 2 * width):
            middle, right = min(left + width, count), min(left + 2 * width, count)
            i, j = left, middle
            for place in range(left, right):
                take = j >= right
                if not take and i < middle:
                    a, b = order[i], order[j]
                    take = high[a] < high[b] or (high[a] == high[b] and not (wide and low[a] > low[b]))
                if take:
                    other[place] = order[i]
                    i += 1
                else:
                    other[place] = order[j]
                    j += 1
        order, other = other, order
        width *= 2
    high[start:stop] = high[order]
    rows[start:stop] = rows[order]
    if wide:
        low[start:stop] = low[order]


@njit(cache=True, nogil=True)
def _sort_cells(high: Any, low: Any, rows: Any, ends: Any) -> None:
    start = 0
    for cell in range(ends.size):
        stop = ends[cell]
        if stop < 0:
            continue
        if stop - start <= _INSERTION:
            _insertion_sort(high, low, rows, start, stop)
        else:
            _merge_sort(high, low, rows, start, stop)
        start = stop


@njit(cache=True, nogil=True)
def _find_runs(high: Any, low: Any, starts: Any, ends: Any) -> int:
    wide = low.size > 0
    found = start = 0
    for i in range(1, high.size + 1):
        if i < high.size and high[i] == high[start] and (not wide or low[i] == low[start]):
            continue
        if i - start > 1:
            starts[found], ends[found] = start, i
            found += 1
        start = i
    return found


def key_runs(
    high: npt.NDArray[np.uint64], low: npt.NDArray[np.uint64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return start and end (int64) of each run of two or more equal keys in sorted keys; `low` may be empty."""
    starts, ends = np.empty(high.size // 2, np.int64), np.empty(high.size // 2, np.int64)
    found = _find_runs(high, low, starts, ends)
    return starts[:found], ends[:found]


def sort_keys(
    high: npt.NDArray[np.uint64], low: npt.NDArray[np.uint64], rows: npt.NDArray[np.int64], first: int, last: int
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """Sort keys stably, leaving out keys that are certainly alone.

    `high`: uint64 (n,) within `first`..`last`, both inclusive. `low`: uint64 (n,), or empty for 64-bit keys. `rows`:
    int64 (n,); rows of equal keys keep their order. Linear for well-mixed keys, n log n at worst; whole keys are
    compared, so equal keys are always neighbours. Input that is sorted per sketch visits the cells in sequence.
    Raises ValueError for keys outside the range.
    """
    if high.size < 2:
        return high[:0], low[:0], rows[:0]
    # compiled code does not check bounds: keys of an unsorted file must not write outside the cells
    if int(high.min()) < first or int(high.max()) > last or last >= KEY_SPACE:
        raise ValueError(f"keys {int(high.min())} to {int(high.max())} outside of {first} to {last}")
    # at least two keys, so the shift stays below 64, and n/2 < cells <= n
    shift = max(0, (last - first).bit_length() - int(high.size).bit_length() + 1)
    ends = np.zeros(((last - first) >> shift) + 1, np.int64)
    start, bits = np.uint64(first), np.uint64(shift)
    kept = _cell_ends(high, start, bits, ends)
    out = np.empty(kept, np.uint64), np.empty(kept if low.size else 0, np.uint64), np.empty(kept, np.int64)
    _distribute(high, low, rows, start, bits, ends, out)
    _sort_cells(*out, ends)
    return out
