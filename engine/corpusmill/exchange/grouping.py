"""How many small files become few: groups cut by content, so that one file more changes a group or two."""

from __future__ import annotations

from collections.abc import Sequence

SMALLEST, LARGEST = 256, 512
"""Members of a group of sketches: enough to turn thousands of files into tens."""
_CUT = 64
"""One member in so many ends a group that is large enough."""


def content_groups(
    digests: Sequence[str],
    weights: Sequence[int] | None = None,
    *,
    smallest: int = SMALLEST,
    largest: int = LARGEST,
    heaviest: int | None = None,
) -> list[slice]:
    """Cut a list of members, named by hex digests of their content, into groups of `smallest` to `largest`.

    A group ends behind a member whose digest says so: after a member was added or removed somewhere, the cuts meet
    the old ones again. No group weighs more than `heaviest`, unless one member does; the last may be small.
    """
    groups, start, weight = [], 0, 0
    for place, digest in enumerate(digests):
        own = weights[place] if weights is not None else 0
        if heaviest is not None and place > start and weight + own > heaviest:
            groups.append(slice(start, place))
            start, weight = place, 0
        weight += own
        members = place + 1 - start
        if members >= largest or (members >= smallest and int(digest[:8], 16) % _CUT == 0):
            groups.append(slice(start, place + 1))
            start, weight = place + 1, 0
    if start < len(digests):
        groups.append(slice(start, len(digests)))
    return groups
