"""Where a run is by its journal: stages in order, shares by progress or by the clock."""

from __future__ import annotations

from typing import Any

import pytest

from corpusmill.demo.following import Where
from corpusmill.runner.journal import Event

STAGES = [{"id": name, "kind": "pass", "steps": [name]} for name in ("first", "second", "last")]


class Clock:
    """A clock that stands until it is set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def at(where: Where, stage: str, done: int = 0, total: int = 4) -> Where:
    for event, data in [
        ("run_started", {"stages": STAGES}),
        ("stage_started", {"id": stage, "kind": "pass", "total": total, "cached": 0}),
        ("shards_committed", {"id": stage, "done": done, "total": total}),
    ]:
        where.take(Event("2026-11-22T10:00:00Z", event, data))
    return where


@pytest.mark.parametrize(
    ("stage", "share", "reached"),
    [("first", 0.9, True), ("second", 0.5, True), ("second", 0.6, False), ("last", 0, False)],
)
def test_a_share_is_reached_by_progress(stage: str, share: float, reached: bool) -> None:
    """Two of four shards of the second stage: all of the first and half of the second are behind."""
    assert at(Where(), "second", 2).reached(stage, share, None) is reached


def test_a_share_is_reached_by_the_clock() -> None:
    """Where a stage tells nothing of its progress, seconds count from its start."""
    clock = Clock()
    where = at(Where(clock), "second", total=1)
    clock.now = 2.9
    assert not where.reached("second", 0.5, 6.0)
    clock.now = 3.1
    assert where.reached("second", 0.5, 6.0)


def test_in_the_last_stage_everything_is_due() -> None:
    """It may be over before its share is: what is planned for it is done as soon as it begins."""
    assert at(Where(), "last").reached("last", 0.9, None)
    assert at(Where(), "last").reached("second", 0.9, None)


def test_between_stages_nothing_is_due() -> None:
    """Nobody is at work there."""
    where: Any = at(Where(), "first", 4)
    where.take(Event("2026-11-22T10:00:01Z", "stage_finished", {"id": "first"}))
    assert not where.is_at_work
    assert not where.reached("first", 0.1, None)
    assert where.text == "after first"
