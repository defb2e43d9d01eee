"""Shrinking: the smallest input still shows the fault, and nothing smaller by one step does."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some

from corpusmill.testing.shrinking import Texts, smallest

texts = some.lists(some.none() | some.text(max_size=30), max_size=12)


@given(texts, some.text(min_size=1, max_size=3))
def test_the_fault_stays(rows: Texts, needle: str) -> None:
    """What comes out fails as what went in did, and is no longer."""
    rows = [*rows, f"before {needle} behind"]
    found = smallest(rows, lambda left: any(needle in (text or "") for text in left))
    assert found == [needle]


@given(texts)
def test_two_rows_that_only_fail_together(rows: Texts) -> None:
    """Rows that need each other both stay, in order, and only they."""
    rows = ["first!", *rows, "second!"]
    found = smallest(rows, lambda left: "first!" in left and "second!" in left, fewest=2)
    assert found == ["first!", "second!"]


def test_large_input_does_not_take_long() -> None:
    """Work is bounded by tries, so that a slow operator is asked a few hundred times at most."""
    asked = []

    def fails(left: Texts) -> bool:
        asked.append(len(left))
        return None in left

    rows: Texts = [*["x" * 100] * 2000, None]
    assert None in smallest(rows, fails)
    assert len(asked) <= 400
