"""Groups cut by content: complete, in order, within their sizes, and mostly the same after a change."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from corpusmill.dataset.hashing import hash_json
from corpusmill.exchange.grouping import content_groups


@given(count=st.integers(0, 3000), smallest=st.integers(1, 300), more=st.integers(0, 300))
def test_groups_cover_the_list_in_order(count: int, smallest: int, more: int) -> None:
    """Groups meet end to end, none is larger than the largest, and only the last is smaller than the smallest."""
    digests = [hash_json(number) for number in range(count)]
    groups = content_groups(digests, smallest=smallest, largest=smallest + more)
    assert [place for group in groups for place in range(group.start, group.stop)] == list(range(count))
    assert all(left.stop == right.start for left, right in pairwise(groups))
    assert all(group.stop - group.start <= smallest + more for group in groups)
    assert all(group.stop - group.start >= smallest for group in groups[:-1])


@given(weights=st.lists(st.integers(0, 50), max_size=60))
def test_no_group_is_too_heavy_but_a_heavy_member(weights: list[int]) -> None:
    """A group weighs at most the bound, or is one member."""
    groups = content_groups([hash_json(one) for one in weights], weights, smallest=5, largest=9, heaviest=100)
    assert all(sum(weights[group]) <= 100 or group.stop - group.start == 1 for group in groups)


@given(place=st.integers(0, 5000))
def test_one_member_more_leaves_most_groups_alone(place: int) -> None:
    """After an insertion anywhere in 5,000 members at most three groups are new."""
    members = [hash_json(number) for number in range(5000)]
    before = {tuple(members[group]) for group in content_groups(members)}
    grown = [*members[:place], hash_json("new"), *members[place:]]
    after = {tuple(grown[group]) for group in content_groups(grown)}
    assert len(after - before) <= 3
