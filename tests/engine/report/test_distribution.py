"""Distributions: every document in a bar, every bar in its box, thresholds where they cut."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusmill.ledger.signals import StepSignals, merge_signals
from corpusmill.report.distribution import FLOOR, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Distribution, distributions

VALUES = st.lists(st.floats() | st.floats(-5, 5) | st.integers(0, 10_000).map(float), min_size=1, max_size=50)
LIMITS = st.lists(st.tuples(st.sampled_from(["least", "most"]), st.floats(allow_nan=False)), max_size=3)


def drawn(values: list[float], *limits: tuple[str, float]) -> Distribution:
    signals = StepSignals([("x", side, threshold, f"rule {side}") for side, threshold in limits])
    ids = pa.array([str(row) for row in range(len(values))])
    signals.add({"x": np.array(values, np.float64)}, pa.record_batch({"id": ids}), np.arange(len(values)))
    told = merge_signals([signals.to_json()])
    (picture,) = distributions({"signals": {"quality": told}})
    return picture


@settings(deadline=None)
@given(values=VALUES, limits=LIMITS)
def test_everything_stays_in_its_box(values: list[float], limits: list[tuple[str, float]]) -> None:
    """Any values and thresholds, infinite and missing ones too: bars, lines and labels lie inside the picture."""
    picture = drawn(values, *limits)
    for bar in picture.bars:
        assert LEFT - 0.1 <= bar.x <= bar.x + bar.width <= WIDTH - RIGHT + 0.5
        assert TOP - 0.1 <= bar.y <= bar.y + bar.height <= FLOOR + 0.1 <= HEIGHT
    assert all(LEFT <= mark.x <= WIDTH - RIGHT + 0.1 for mark in (*picture.thresholds, *picture.ticks))
    assert all(right.x - left.x >= 30 for left, right in zip(picture.ticks, picture.ticks[1:], strict=False))
    assert len(picture.limits) == len(limits)


@given(
    values=st.lists(st.integers(-50, 2_000).map(float), min_size=1, max_size=60),
    limit=st.integers(-40, 1_500).map(lambda whole: whole + 0.5),
    side=st.sampled_from(["least", "most"]),
)
def test_there_are_marked_bars_where_documents_fail(values: list[float], limit: float, side: str) -> None:
    """Failing documents have a bar marked as failing, passing ones a bar that is not."""
    fails = {bar.fails for bar in drawn(values, (side, limit)).bars}
    assert {(one < limit) == (side == "least") for one in values} <= fails


def test_a_limit_cuts_the_bar_it_runs_through() -> None:
    """The bin that holds the threshold is drawn in two pieces, the line between them."""
    picture = drawn([50.0, 51.0], ("least", 50.0))
    left, right = picture.bars
    assert (left.fails, right.fails) == (True, False)
    assert left.x + left.width == pytest.approx(picture.thresholds[0].x, abs=0.1)
    assert right.x == pytest.approx(picture.thresholds[0].x, abs=0.1)
    assert left.title == right.title == "48 to 52: 2"


@pytest.mark.parametrize(("side", "fails"), [("most", False), ("least", False)])
def test_zero_passes_a_limit_of_zero(side: str, fails: bool) -> None:
    """Documents that have nothing of something are not drawn as failing `at most 0` or `at least 0`."""
    assert [bar.fails for bar in drawn([0.0], (side, 0.0)).bars] == [fails]


def test_zeros_stand_apart_and_nothing_is_drawn_between() -> None:
    """Shares that are mostly zero: a bar for zero, a small gap, and the others with room."""
    picture = drawn([0.0] * 90 + [0.1, 0.2, 0.4])
    assert picture.bars[0].title == "0: 90"
    assert picture.bars[1].x > WIDTH / 50
    assert picture.bars[-1].x > 0.8 * WIDTH


def test_a_limit_far_away_is_told_but_not_drawn() -> None:
    """A limit a million times above every value would leave a sliver for the bars."""
    picture = drawn([1.0, 2.0], ("most", 1e6))
    assert picture.thresholds == ()
    assert picture.limits == ("at most 1,000,000 (rule most)",)


def test_the_facts_say_how_many_and_from_where_to_where() -> None:
    """Documents, ends, and how many had no value; one value is `all` of it, none is just a count."""
    assert drawn([3.0, 90_210.0, float("nan")]).facts == "3 documents, 3 to 90,210, 1 without a value"
    assert drawn([7.0, 7.0]).facts == "2 documents, all 7"
    assert drawn([float("nan")]).facts == "1 document, 1 without a value"


def test_signals_come_in_the_order_of_their_rules() -> None:
    """Whatever order a file has its keys in; what no rule asks for comes last."""
    one = {"rows": 1, "missing": 0, "least": 1.0, "largest": 1.0, "bins": [[1.0, 1.125, 1]]}
    rule: dict[str, Any] = {"side": "most", "threshold": 1.0, "reason": ""}
    told = {"rules": [{**rule, "signal": "c"}, {**rule, "signal": "b"}], "signals": {"a": one, "b": one, "c": one}}
    assert [picture.signal for picture in distributions({"signals": {"step": told}})] == ["c", "b", "a"]


def test_a_run_that_measured_nothing_has_no_pictures() -> None:
    """Neither has one from before there were histograms."""
    assert distributions({}) == distributions({"signals": {}}) == []
