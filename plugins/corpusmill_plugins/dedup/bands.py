"""How many bands of how many rows: the choice that makes locality-sensitive hashing find pairs above a threshold."""

from __future__ import annotations

from functools import cache

PERMUTATIONS = 112
FALSE_CANDIDATES = 0.35
"""Weight of a false candidate against a missed pair (0.65): verification removes false candidates, cheaply."""


def detection(similarity: float, bands: int, rows: int) -> float:
    """The probability that a pair of this Jaccard similarity shares a band: 1 - (1 - s^rows)^bands."""
    return 1.0 - (1.0 - similarity**rows) ** bands


@cache
def best_bands(threshold: float, permutations: int = PERMUTATIONS) -> tuple[int, int]:
    """Return (bands, rows), at most `permutations` together, by datasketch's rule.

    It minimises the weighted areas of false candidates below the threshold and of missed pairs above it, both under
    the assumption that similarities are spread evenly. At 0.7 and 112 permutations this is datatrove's 14 x 8.
    """
    best, least = (1, 1), float("inf")
    for bands in range(1, permutations + 1):
        for rows in range(1, permutations // bands + 1):
            below = _area(0.0, threshold, bands, rows, missed=False)
            above = _area(threshold, 1.0, bands, rows, missed=True)
            cost = FALSE_CANDIDATES * below + (1 - FALSE_CANDIDATES) * above
            if cost < least:
                best, least = (bands, rows), cost
    return best


def _area(start: float, stop: float, bands: int, rows: int, *, missed: bool) -> float:
    """Integrate the detection probability, or its complement, over 200 midpoints."""
    step = (stop - start) / 200
    total = 0.0
    for index in range(200):
        found = detection(start + (index + 0.5) * step, bands, rows)
        total += (1.0 - found if missed else found) * step
    return total
