"""Sorting keys and turning buckets into pairs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.exchange.candidates import candidate_blocks, candidate_pairs
from corpusmill.exchange.key_sort import key_runs, sort_keys
from corpusmill.exchange.pairs import distinct_pairs
from corpusmill.exchange.ranges import KEY_SPACE

NONE = np.empty(0, np.uint64)


@given(
    values=st.lists(st.integers(0, 5) | st.integers(0, KEY_SPACE - 1) | st.integers(2**63, 2**63 + 40), max_size=120),
    halves=st.none() | st.integers(1, 3),
)
def test_sort_keeps_every_key_that_has_an_equal(values, halves):
    """Sorted stably by whole keys, nothing lost but keys that are alone; runs are exactly the equal keys."""
    keys = np.array(values, np.uint64)
    low = NONE if halves is None else np.arange(keys.size).astype(np.uint64) % np.uint64(halves)
    high, lows, rows = sort_keys(keys, low, np.arange(keys.size), 0, KEY_SPACE - 1)
    entries = list(zip(high.tolist(), lows.tolist() if halves else [0] * high.size, rows.tolist(), strict=True))
    assert entries == sorted(entries)
    groups: dict[tuple[int, int], list[int]] = {}
    for row, value in enumerate(values):
        groups.setdefault((value, row % halves if halves else 0), []).append(row)
    starts, ends = key_runs(high, lows)
    found = [rows[start:end].tolist() for start, end in zip(starts, ends, strict=True)]
    assert found == [members for _, members in sorted(groups.items()) if len(members) > 1]


def test_equal_keys_meet_though_their_top_bits_crowd():
    """Keys that differ only in their lowest bits, interleaved, are told apart: no sort on the top 32 bits only."""
    keys = np.arange(4000).astype(np.uint64) % np.uint64(1000) + np.uint64(2**63)
    high, _, rows = sort_keys(keys, NONE, np.arange(4000), 0, KEY_SPACE - 1)
    starts, ends = key_runs(high, NONE)
    assert (ends - starts).tolist() == [4] * 1000
    assert rows[:4].tolist() == [0, 1000, 2000, 3000]


@pytest.mark.parametrize("outside", [9, 21])
def test_keys_outside_the_range_are_refused(outside):
    """Keys of a file that is not sorted never reach compiled code."""
    with pytest.raises(ValueError, match="outside of 10 to 20"):
        sort_keys(np.array([15, outside], np.uint64), NONE, np.arange(2), 10, 20)
    with pytest.raises(ValueError, match="outside of 0 to"):
        sort_keys(np.array([15, outside], np.uint64), NONE, np.arange(2), 0, KEY_SPACE)


def test_all_pairs_up_to_64_rows():
    """64 rows give 2,016 pairs; 65 give (best, each) and (each, next), 127."""
    for rows, expected in ((64, 2016), (65, 127)):
        assert len(candidate_pairs(np.zeros(rows, np.uint64), np.arange(rows))) == expected


def test_large_bucket_goes_by_rank():
    """Above 64 rows the best by rank meets each, and each its next by rank."""
    rank = np.arange(70)[::-1].astype(np.float64)
    pairs = {tuple(pair) for pair in candidate_pairs(np.zeros(70, np.uint64), np.arange(70), rank).tolist()}
    assert pairs == {(row, 69) for row in range(69)} | {(row, row + 1) for row in range(68)}


def test_star_of_wide_keys():
    """Where equality decides, each row meets the best of its key, and both halves make the key."""
    keys = np.array([[1, 1], [1, 2], [1, 2], [1, 2]], np.uint64)
    assert candidate_pairs(keys, np.arange(4), np.array([0.0, 1.0, 0.5, 1.0]), star=True).tolist() == [[1, 2], [2, 3]]


@given(sizes=st.lists(st.integers(2, 70), max_size=12), block=st.integers(1, 3000), star=st.booleans())
def test_blocks_hold_the_same_pairs(sizes, block, star):
    """However pairs are cut into blocks, they are the same, and a block over the size holds one bucket."""
    ends = np.cumsum(sizes, dtype=np.int64)
    starts = ends - np.array(sizes, np.int64)
    rows = np.arange(sum(sizes))

    def pairs(size: int) -> list[list[tuple[int, int]]]:
        blocks = candidate_blocks(rows.copy(), starts, ends, star=star, rank_of=None, block=size)
        return [list(zip(left.tolist(), right.tolist(), strict=True)) for left, right in blocks]

    cut = pairs(block)
    assert [pair for part in cut for pair in part] == [pair for part in pairs(10**9) for pair in part]
    assert all(len(part) <= max(block, 2016) for part in cut)


@pytest.mark.parametrize("base", [0, 2**31 - 3, 2**40])
def test_distinct_pairs(base):
    """Distinct, sorted, counted; the same below and above the rows that fit a packed pair."""
    left = np.array([2, 0, 2, 1], np.int64) + base
    right = np.array([3, 5, 3, 4], np.int64) + base
    pairs, counts = distinct_pairs(left, right)
    assert (pairs - base).tolist() == [[0, 5], [1, 4], [2, 3]]
    assert counts.tolist() == [1, 1, 2]
