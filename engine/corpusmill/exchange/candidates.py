"""From rows that share a key to candidate pairs: all pairs of a small bucket, linearly many of a large one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from corpusmill.exchange.key_sort import key_runs
from corpusmill.exchange.pairs import distinct_pairs

Rows = npt.NDArray[np.int64]
RankOf = Callable[[Rows], npt.NDArray[np.float64]]

# Above this many rows a bucket gives (best, each) and (each, next) instead of all pairs.
ALL_PAIRS = 64
PAIR_BLOCK = 1 << 21


@njit(cache=True, nogil=True)
def _emit(rows: Any, starts: Any, ends: Any, star: bool, left: Any, right: Any) -> int:
    place = 0
    for run in range(starts.size):
        start, end = starts[run], ends[run]
        dense = not star and end - start <= ALL_PAIRS
        for i in range(start, end - 1):
            # i meets everyone after it (dense, or i is the best), or its neighbour, or no one (star)
            stop = end if dense or i == start else (i + 1 if star else i + 2)
            for j in range(i + 1, stop):
                left[place] = min(rows[i], rows[j])
                right[place] = max(rows[i], rows[j])
                place += 1
    return place


def _pair_counts(sizes: Rows, star: bool) -> Rows:
    if star:
        return sizes - 1
    return np.where(sizes <= ALL_PAIRS, sizes * (sizes - 1) // 2, 2 * sizes - 3)


def _put_best_first(rows: Rows, starts: Rows, ends: Rows, star: bool, rank_of: RankOf) -> None:
    """Reorder, in place, the rows of those buckets whose pairs depend on rank: by (rank, row number)."""
    ranked = np.flatnonzero(star | (ends - starts > ALL_PAIRS))
    sizes = ends[ranked] - starts[ranked]
    if sizes.size == 0:
        return
    bucket = np.repeat(np.arange(sizes.size), sizes)
    offsets = np.cumsum(sizes) - sizes
    places = np.arange(bucket.size) + np.repeat(starts[ranked] - offsets, sizes)
    members = rows[places]
    rows[places] = members[np.lexsort([members, rank_of(members), bucket])]


def candidate_blocks(
    rows: Rows, starts: Rows, ends: Rows, *, star: bool, rank_of: RankOf | None, block: int = PAIR_BLOCK
) -> Iterator[tuple[Rows, Rows]]:
    """Yield (left, right) of the pairs of buckets `rows[starts[i]:ends[i]]`, left below right, repeats included.

    Rows of a bucket are distinct and ascending; `rows` is reordered where rank decides. A yield holds about `block`
    pairs, or one bucket's. `star`: equality decides, so (best, each) is enough.
    """
    if rank_of is not None:
        _put_best_first(rows, starts, ends, star, rank_of)
    totals = np.cumsum(_pair_counts(ends - starts, star))
    done = done_pairs = 0
    while done < starts.size:
        stop = max(done + 1, int(np.searchsorted(totals, done_pairs + block, side="right")))
        count = int(totals[stop - 1]) - done_pairs
        left, right = np.empty(count, np.int64), np.empty(count, np.int64)
        _emit(rows, starts[done:stop], ends[done:stop], star, left, right)
        yield left, right
        done, done_pairs = stop, int(totals[stop - 1])


def candidate_pairs(
    keys: npt.NDArray[np.uint64], rows: Rows, rank: npt.NDArray[np.float64] | None = None, star: bool = False
) -> Rows:
    """Return the distinct candidate pairs of keys sorted by (key, row) as int64 (n, 2), sorted, left below right.

    `keys`: uint64 (n,), or (n, 2) with the high half first. `rank`: float64 (n,) of the same entries, lower is
    better, ties to the lower row. Buckets of up to 64 rows give all pairs, larger ones (best, each) and (each, next).
    """
    high = np.array(keys if keys.ndim == 1 else keys[:, 0])
    low = np.array(keys[:0] if keys.ndim == 1 else keys[:, 1])
    starts, ends = key_runs(high, low)

    def rank_of(members: Rows) -> npt.NDArray[np.float64]:
        order = np.argsort(rows, kind="stable")
        ranks: npt.NDArray[np.float64] = np.asarray(rank)[order[np.searchsorted(rows[order], members)]]
        return ranks

    blocks = list(candidate_blocks(np.array(rows, np.int64), starts, ends, star=star,
                                   rank_of=None if rank is None else rank_of))  # fmt: skip
    if not blocks:
        return np.empty((0, 2), np.int64)
    left, right = (np.concatenate(sides) for sides in zip(*blocks, strict=True))
    return distinct_pairs(left, right)[0]
