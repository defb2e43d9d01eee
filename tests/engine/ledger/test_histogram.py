"""Histograms: bins that know no data, sums that know no order."""

from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.dataset.hashing import canonical_json
from corpusmill.ledger.histogram import LAST, Histogram, bin_edges, bin_place

NUMBERS = st.floats(allow_nan=True) | st.integers(-100, 100_000).map(float) | st.sampled_from([0.0, -0.0, 0.25, 1e300])


def histogram(values: list[float]) -> Histogram:
    made = Histogram()
    made.add(np.array(values, np.float64))
    return made


@given(values=st.lists(NUMBERS, max_size=40), cuts=st.lists(st.integers(0, 40), max_size=4), seed=st.randoms())
def test_batches_shards_and_order_do_not_show(values: list[float], cuts: list[int], seed: object) -> None:
    """Cut anywhere, counted by any shard, in any order: the bytes of the record are the same."""
    whole = canonical_json(histogram(values).to_json())
    shuffled = values[:]
    seed.shuffle(shuffled)  # type: ignore[attr-defined]
    ends = [0, *sorted(cuts), len(values)]
    batches, shards = Histogram(), Histogram()
    for start, stop in itertools.pairwise(ends):
        batches.add(np.array(shuffled[start:stop], np.float64))
        shards.merge(Histogram.from_json(json.loads(canonical_json(histogram(shuffled[start:stop]).to_json()))))
    assert canonical_json(batches.to_json()) == whole
    assert canonical_json(shards.to_json()) == whole


@given(value=st.floats(allow_nan=False))
def test_a_value_lies_between_the_edges_of_its_bin(value: float) -> None:
    """From the low edge to below the high one; below zero it is the other way round."""
    (place,) = histogram([value]).bins
    low, high = bin_edges(place)
    inside = low < value < high if place == 0 else low <= value < high if place > 0 else low < value <= high
    assert inside or (math.isinf(value) and abs(place) == LAST)


@given(values=st.lists(NUMBERS, max_size=60))
def test_every_value_is_counted_once(values: list[float]) -> None:
    """In a bin or as missing; least and largest are those of the values that are there."""
    made, there = histogram(values), [one for one in values if not math.isnan(one)]
    assert sum(made.bins.values()) == len(there)
    assert (made.missing, made.rows) == (len(values) - len(there), len(values))
    if there:
        assert (made.least, made.largest) == (min(there), max(there))
        assert math.copysign(1, made.least) > 0 or made.least < 0


def test_bins_join_without_gaps() -> None:
    """Each bin ends where the next begins, over the whole range, at most an eighth wider than its start."""
    edges = [bin_edges(place) for place in range(-LAST, LAST + 1)]
    assert [one[1] for one in edges[:-1]] == [one[0] for one in edges[1:]]
    assert (edges[0][0], edges[-1][1]) == (-math.inf, math.inf)
    assert all(high <= 1.125 * low for low, high in edges[LAST + 1 : -1])


@given(value=st.floats(-1e11, 1e11))
def test_the_axis_puts_values_into_their_bins(value: float) -> None:
    """Where a threshold is drawn is inside the bin it would be counted in (or at its edge)."""
    (place,) = histogram([value]).bins
    assert place <= bin_place(value) <= place + 1


def test_the_axis_rises() -> None:
    """Larger values stand further to the right."""
    values = [-1e15, -300.0, -1.0, -0.001, 0.0, 1e-6, 0.3, 0.31, 1.0, 50.0, 1e15]
    assert sorted(map(bin_place, values)) == list(map(bin_place, values))


@pytest.mark.parametrize("rows", [8_191, 8_192, 8_193, 30_000])
def test_large_batches_are_counted_whole(rows: int) -> None:
    """Whatever waits for company is counted in the end."""
    made = Histogram()
    made.add(np.ones(5))
    made.add(np.full(rows, 2.0))
    assert made.bins == {histogram_place(1.0): 5, histogram_place(2.0): rows}


def histogram_place(value: float) -> int:
    (place,) = histogram([value]).bins
    return place


def test_a_record_is_short() -> None:
    """Word counts of fifty thousand documents take less than a kilobyte."""
    values = np.random.default_rng(1).lognormal(6, 1.2, 50_000).round()
    made = Histogram()
    made.add(values)
    assert len(canonical_json(made.to_json())) < 1_000


def test_nothing_is_a_histogram_too() -> None:
    """No value, or only missing ones: no bins, no ends."""
    assert Histogram().to_json() == {"bins": "", "missing": 0, "least": None, "largest": None}
    assert histogram([math.nan]).to_json() == {"bins": "", "missing": 1, "least": None, "largest": None}
