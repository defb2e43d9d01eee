"""Key ranges: even, complete, and stable while the corpus grows."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from corpusmill.exchange.ranges import KEY_SPACE, key_ranges


@given(total=st.integers(0, 10**9), target=st.integers(10**5, 10**9))
def test_ranges_cover_the_space_evenly(total, target):
    """Ranges meet end to end from 0 to 2**64, all of one width, a power of two many, none over the target."""
    ranges = key_ranges(total, target)
    assert ranges[0][0] == 0
    assert ranges[-1][1] == KEY_SPACE
    assert all(end == start for (_, end), (start, _) in pairwise(ranges))
    assert {high - low for low, high in ranges} == {KEY_SPACE // len(ranges)}
    assert len(ranges).bit_count() == 1
    assert total / len(ranges) <= target
    assert len(ranges) == 1 or total / (len(ranges) / 2) > target


def test_growing_halves_ranges():
    """The bounds of a smaller corpus are bounds of a larger one, and a little growth moves none."""
    small, same, large = key_ranges(1_100_000_000), key_ranges(1_900_000_000), key_ranges(2_100_000_000)
    assert small == same
    assert {low for low, _ in small} < {low for low, _ in large}
