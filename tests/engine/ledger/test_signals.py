"""Signals of a step: histograms and kept values that do not show the batches, and what a report gets of them."""

from __future__ import annotations

import json
import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusmill.dataset.hashing import canonical_json
from corpusmill.dataset.part import write_table
from corpusmill.dataset.store import Store
from corpusmill.errors import OperatorError
from corpusmill.ledger.signals import StepSignals, merge_signals

RULES = [("words", "least", 50.0, "too-few"), ("share", "most", 0.3, ""), ("language", "least", math.nan, "language")]
VALUES = st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1) | st.just(math.nan)), min_size=1, max_size=20)


def collected(rows: list[tuple[float, float]], size: int, *, keep: bool = True) -> StepSignals:
    signals = StepSignals(RULES, keep=keep)
    for start in range(0, len(rows), size):
        cut = rows[start : start + size]
        numbers = np.arange(start, start + len(cut))
        batch = pa.record_batch({"id": pa.array([f"id-{number}" for number in numbers])})
        measured = {"words": np.array([one[0] for one in cut]), "share": np.array([one[1] for one in cut])}
        signals.add(measured, batch, numbers)
    return signals


@settings(max_examples=30)
@given(rows=VALUES, size=st.sampled_from([1, 3, 7]))
def test_kept_values_do_not_show_the_batches(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[float, float]], size: int
) -> None:
    """The same rows give the same file and the same record, however they were cut."""
    store = Store(str(tmp_path_factory.getbasetemp() / "values"))
    whole, cut = collected(rows, 1_000), collected(rows, size)
    tables = [one.table() for one in (whole, cut)]
    assert tables[0] is not None
    assert tables[1] is not None
    assert write_table(store, tables[0]) == write_table(store, tables[1])
    assert canonical_json(whole.to_json()) == canonical_json(cut.to_json())


@given(rows=VALUES)
def test_kept_values_are_those_measured(rows: list[tuple[float, float]]) -> None:
    """Row, id, and each signal in alphabetical order; what was not measured is null, not NaN."""
    table = collected(rows, 3).table()
    assert table is not None
    assert table.column_names == ["row", "id", "share", "words"]
    found = [(one["words"], math.nan if one["share"] is None else one["share"]) for one in table.to_pylist()]
    assert str(found) == str([(words + 0.0, share) for words, share in rows])
    assert table["id"].to_pylist() == [f"id-{row}" for row in range(len(rows))]


def test_nothing_is_kept_unasked() -> None:
    """Histograms are free, values are not: without `keep` there is no table."""
    assert collected([(1.0, 0.5)], 1, keep=False).table() is None


def test_values_an_operator_writes_over_are_kept_as_they_were() -> None:
    """A buffer that an operator fills again for the next batch does not change what was kept of the last."""
    signals, buffer = StepSignals(RULES, keep=True), np.zeros(1)
    for value in (1.0, 2.0):
        buffer[0] = value
        signals.add({"words": buffer}, pa.record_batch({"id": ["a"]}), np.array([int(value)]))
    table = signals.table()
    assert table is not None
    assert table["words"].to_pylist() == [1.0, 2.0]


def test_shards_add_up_for_a_report() -> None:
    """Rows, missing ones, ends and bins over all shards; rules in order, with what they are held against."""
    shards = [collected([(10.0, 0.5), (70.0, math.nan)], 9), collected([(10.5, 0.0)], 9), StepSignals(RULES)]
    merged = merge_signals(json.loads(canonical_json(one.to_json())) for one in shards)
    assert list(merged["signals"]) == ["words", "share"]
    assert merged["signals"]["words"] == {
        "rows": 3, "missing": 0, "least": 10.0, "largest": 70.0, "bins": [[10.0, 11.0, 2], [64.0, 72.0, 1]],
    }  # fmt: skip
    assert merged["signals"]["share"]["missing"] == 1
    assert merged["rules"] == [
        {"signal": "words", "side": "least", "threshold": 50.0, "reason": "too-few"},
        {"signal": "share", "side": "most", "threshold": 0.3, "reason": ""},
    ]


def test_what_lies_beyond_the_bins_is_told_as_open() -> None:
    """JSON has no infinities: open ends are null, in the order of lists too."""
    signals = StepSignals([("x", "most", math.inf, "x")])
    signals.add({"x": np.array([math.inf, -1e300])}, pa.record_batch({"id": ["a", "b"]}), np.arange(2))
    merged = merge_signals([json.loads(canonical_json(signals.to_json()))])
    json.dumps(merged, allow_nan=False)
    assert [one[2] for one in merged["signals"]["x"]["bins"]] == [1, 1]
    assert merged["signals"]["x"]["bins"][0][0] is None
    assert merged["rules"][0]["threshold"] is None


@pytest.mark.parametrize("name", ["row", "id"])
def test_a_signal_cannot_take_the_engines_columns(name: str) -> None:
    """Kept beside row and id, a signal of that name would replace whose values these are."""
    with pytest.raises(OperatorError, match=name):
        StepSignals(keep=True).add({name: np.zeros(1)}, pa.record_batch({"id": ["a"]}), np.arange(1))


def test_a_step_without_rows_says_nothing() -> None:
    """A step that saw no row has no signals, no table and an empty record."""
    empty = StepSignals(RULES, keep=True)
    assert (empty.table(), empty.to_json()) == (None, {"rules": [], "signals": {}})
