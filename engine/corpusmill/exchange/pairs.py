"""Pairs of rows: distinct, sorted, left below right."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_PACKABLE = 2**31


def distinct_pairs(
    left: npt.NDArray[np.int64], right: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the distinct pairs as int64 (n, 2), sorted, and how often each was given, int64 (n,).

    Rows are not negative. Below 2**31 rows a pair is one int64, which sorts many times faster.
    """
    if left.size == 0:
        return np.empty((0, 2), np.int64), np.empty(0, np.int64)
    if max(int(left.max()), int(right.max())) < _PACKABLE:
        codes = np.sort((left << 32) | right)
        firsts = np.flatnonzero(np.concatenate([[True], codes[1:] != codes[:-1]]))
        distinct = codes[firsts]
        pairs = np.stack([distinct >> 32, distinct & 0xFFFFFFFF], axis=1)
    else:
        order = np.lexsort([right, left])
        sides = np.stack([left[order], right[order]], axis=1)
        firsts = np.flatnonzero(np.concatenate([[True], (sides[1:] != sides[:-1]).any(axis=1)]))
        pairs = sides[firsts]
    return pairs, np.diff(firsts, append=left.size)
