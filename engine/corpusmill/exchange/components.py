"""From links to components, and from components to the row that stays."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt

from corpusmill.exchange.union_find import UnionFind

Rows = npt.NDArray[np.int64]


def components(link_chunks: Iterable[Rows], total_rows: int) -> tuple[Rows, Rows]:
    """Return the rows that are in a component of two or more, ascending, and each one's root: int64 (m,) twice.

    The root is the smallest row of the component. Links, int64 (n, 2), are streamed: any order, repeats allowed.
    """
    sets = UnionFind(total_rows)
    for links in link_chunks:
        sets.unite(links)
    children, child_roots = sets.children()
    roots = np.unique(child_roots)
    members = np.concatenate([roots, children])
    order = np.argsort(members)
    return members[order], np.concatenate([roots, child_roots])[order]


def choose(members: Rows, roots: Rows, rank_of: Callable[[Rows], npt.NDArray[np.float64]] | None = None) -> Rows:
    """Return for each member the row of its component that stays, int64 (m,).

    The best is the lowest rank (float64, NaN last); ties go to the lowest row number, so rank is a total order.
    Without `rank_of` the first row in input order stays.
    """
    if rank_of is None or members.size == 0:
        return roots.copy()
    order = np.lexsort([members, rank_of(members), roots])
    sorted_roots = roots[order]
    firsts = np.flatnonzero(np.concatenate([[True], sorted_roots[1:] != sorted_roots[:-1]]))
    best = members[order[firsts]]
    kept: Rows = best[np.searchsorted(sorted_roots[firsts], roots)]
    return kept


def cluster_sizes(roots: Rows) -> dict[int, int]:
    """Return how many components have each size, by ascending size."""
    sizes, counts = np.unique(np.unique(roots, return_counts=True)[1], return_counts=True)
    return {int(size): int(count) for size, count in zip(sizes, counts, strict=True)}
