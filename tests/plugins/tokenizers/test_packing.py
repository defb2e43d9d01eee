"""tokens.pack: windows cover each stream exactly, overlapping by one id."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from corpusmill_plugins.tokenizers.packing import ConcatenateAndCut


def plan(lengths: list[int], window: int) -> list[tuple[int, ...]]:
    operator = ConcatenateAndCut(ConcatenateAndCut.Options(window=window))
    columns = operator.windows(np.array(lengths, np.int64))
    assert all(column.dtype == np.int64 for column in columns)
    return [tuple(int(one) for one in row) for row in zip(*columns, strict=True)]


@given(lengths=st.lists(st.integers(0, 9), max_size=30), window=st.integers(1, 12))
def test_windows_are_cuts_of_the_joined_stream(lengths: list[int], window: int) -> None:
    """Window k is ids [k * w, k * w + w + 1) of the joined documents, as a plain loop finds them."""
    stream = [(document, place) for document, length in enumerate(lengths) for place in range(length)]
    expected = [stream[start : start + window + 1] for start in range(0, max(0, len(stream) - 1), window)]
    found: list[list[tuple[int, int]]] = [[] for _ in expected]
    for number, document, start, stop in plan(lengths, window):
        assert start < stop
        found[number] += [(document, place) for place in range(start, stop)]
    assert found == expected


@given(lengths=st.lists(st.integers(0, 9), max_size=30), window=st.integers(1, 12))
def test_each_token_but_the_first_is_predicted_once(lengths: list[int], window: int) -> None:
    """Over all windows, the ids after each first add up to all tokens less one."""
    rows = plan(lengths, window)
    held = sum(stop - start for _, _, start, stop in rows)
    windows = len({number for number, *_ in rows})
    assert held - windows == max(0, sum(lengths) - 1)


def test_nothing_to_predict_is_no_window() -> None:
    """No document, an empty one, and a single token make no window."""
    assert plan([], 4) == plan([0, 0], 4) == plan([1], 4) == []


def test_window_must_be_positive() -> None:
    """A window of nothing is refused."""
    with pytest.raises(ValidationError):
        ConcatenateAndCut.Options(window=0)
