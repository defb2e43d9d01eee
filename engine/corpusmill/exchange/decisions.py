"""What the components mean for one part: which of its rows go, for which kept row, and how they are alike."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]

DUPLICATE = "duplicate"
DUPLICATE_VIA = "duplicate-via"


def decisions(members: Rows, kept: Rows, base: int, rows: int) -> tuple[npt.NDArray[np.uint32], Rows]:
    """Return the removed rows of the part at `base` with `rows` rows: row in the part uint32, kept row in the dataset.

    `members` ascending and `kept` as `components` and `choose` give them; the result is sorted by row.
    """
    part = part_members(members, base, rows)
    removed = part.start + np.flatnonzero(members[part] != kept[part])
    return (members[removed] - base).astype(np.uint32), kept[removed]


def part_members(members: Rows, base: int, rows: int) -> slice:
    """Return where in `members` the rows base..base+rows-1 stand."""
    start, stop = np.searchsorted(members, [base, base + rows])
    return slice(int(start), int(stop))


def direct_links(members: Rows, kept: Rows, link_chunks: Iterable[Rows]) -> npt.NDArray[np.bool_]:
    """Return bool (m,): whether a link joins each member straight to the row kept for it (true for that row itself)."""
    direct: npt.NDArray[np.bool_] = members == kept
    for links in link_chunks:
        for one, other in ((links[:, 0], links[:, 1]), (links[:, 1], links[:, 0])):
            places = np.searchsorted(members, one)
            direct[places[kept[places] == other]] = True
    return direct


def is_direct(
    similarity: npt.NDArray[np.float64] | None, threshold: float, linked: npt.NDArray[np.bool_] | None
) -> npt.NDArray[np.bool_]:
    """Return bool (n,): true for the rule `duplicate`, false for `duplicate-via` (joined through a third row).

    A row is a duplicate of the kept one when a link joins them (`linked`, from `direct_links`) or its similarity
    reaches the threshold; a verified link always does, so verifying deduplicators need no `linked`.
    """
    if similarity is None:
        if linked is None:
            raise ValueError("neither similarities nor links to judge by")
        return linked
    alike: npt.NDArray[np.bool_] = similarity >= threshold
    return alike if linked is None else alike | linked
