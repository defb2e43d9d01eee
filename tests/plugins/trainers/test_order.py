"""The order of samples: a bijection in each epoch, the same whatever the batch."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from corpusmill_plugins.trainers.order import permute, sample_at


@given(size=st.integers(1, 3000), key=st.integers(0, 2**63 - 1))
def test_permutation_is_a_bijection(size: int, key: int) -> None:
    """Every index below the size is hit exactly once."""
    assert sorted(permute(np.arange(size), size, key)) == list(range(size))


@given(size=st.integers(2, 2**61), key=st.integers(0, 2**63 - 1))
def test_large_sizes_stay_inside(size: int, key: int) -> None:
    """Sizes far beyond memory work one index at a time, and different indices stay different."""
    first, last = permute(np.array([0, size - 1]), size, key)
    assert min(first, last) >= 0
    assert max(first, last) < size
    assert first != last


@given(samples=st.integers(1, 50), start=st.integers(0, 200), cuts=st.lists(st.integers(1, 9), max_size=8))
def test_order_does_not_depend_on_batches(samples: int, start: int, cuts: list[int]) -> None:
    """Asking in pieces gives the same samples as asking at once, also across the ends of epochs."""
    stop = start + sum(cuts)
    whole = sample_at(np.arange(start, stop), samples, 5)
    edges = np.cumsum([start, *cuts])
    pieces = [sample_at(np.arange(low, high), samples, 5) for low, high in pairwise(edges)]
    assert np.array_equal(whole, np.concatenate([np.empty(0, np.int64), *pieces]))


def test_epochs_and_seeds_differ() -> None:
    """Each epoch and each seed has an order of its own, each complete."""
    first, second = sample_at(np.arange(100), 100, 1), sample_at(np.arange(100, 200), 100, 1)
    other = sample_at(np.arange(100), 100, 2)
    assert sorted(first) == sorted(second) == sorted(other) == list(range(100))
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, other)


def test_order_is_fixed_for_ever() -> None:
    """A checkpoint is only worth something while its positions mean the same samples."""
    assert sample_at(np.arange(8), 1000, 42).tolist() == [905, 869, 315, 752, 363, 401, 689, 45]
