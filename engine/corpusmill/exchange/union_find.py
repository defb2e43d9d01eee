"""Union-find over row numbers, the smaller number as root, so that link order does not matter (numba)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

_NARROW = 2**31
_CHUNK = 1 << 20


@njit(cache=True, nogil=True)
def _find(parents: Any, row: Any) -> Any:
    while parents[row] != row:
        parents[row] = parents[parents[row]]  # path halving
        row = parents[row]
    return row


@njit(cache=True, nogil=True)
def _unite(parents: Any, left: Any, right: Any) -> None:
    for i in range(left.size):
        a, b = _find(parents, left[i]), _find(parents, right[i])
        if a < b:
            parents[b] = a
        elif b < a:
            parents[a] = b


@njit(cache=True, nogil=True)
def _flatten(parents: Any) -> int:
    """Point each row at its root, in one ascending pass since a parent is never larger; return how many moved away."""
    children = 0
    for row in range(parents.size):
        parents[row] = parents[parents[row]]
        if parents[row] != row:
            children += 1
    return children


@njit(cache=True, nogil=True)
def _children(parents: Any, rows: Any, roots: Any) -> None:
    place = 0
    for row in range(parents.size):
        if parents[row] != row:
            rows[place], roots[place] = row, parents[row]
            place += 1


class UnionFind:
    """Sets of the rows 0..total-1: 4 bytes a row below 2**31 rows, 8 above."""

    def __init__(self, total: int) -> None:
        self._parents = np.arange(total, dtype=np.int32 if total < _NARROW else np.int64)

    def unite(self, links: npt.NDArray[np.int64]) -> None:
        """Join the two rows of each link, int64 (n, 2), in any order; raises IndexError for an unknown row."""
        for start in range(0, len(links), _CHUNK):
            chunk = links[start : start + _CHUNK]
            # compiled code does not check bounds: a bad link file must not write outside the array
            if int(chunk.min()) < 0 or int(chunk.max()) >= self._parents.size:
                raise IndexError(f"link between rows {int(chunk.min())} and {int(chunk.max())} of {self._parents.size}")
            _unite(self._parents, np.array(chunk[:, 0]), np.array(chunk[:, 1]))

    def children(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return the rows that are not the smallest of their set, ascending, and that smallest row: int64 (n,) each."""
        count = _flatten(self._parents)
        rows, roots = np.empty(count, np.int64), np.empty(count, np.int64)
        _children(self._parents, rows, roots)
        return rows, roots
