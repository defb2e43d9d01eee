"""When the demonstration kills whom: drawn from a seed, spread over the work, each kind of process at least once."""

from __future__ import annotations

from collections import Counter

import pytest

from corpusmill.demo.moments import Moment, StageWork, draw_moments, stages_of
from corpusmill.runner.journal import Event

STAGES = [StageWork("first", 4.0, True), StageWork("short", 0.0, False), StageWork("training", 64.0, True)]


def place(moment: Moment) -> tuple[int, float]:
    return [stage.id for stage in STAGES].index(moment.stage), moment.share


@pytest.mark.parametrize("kills", [1, 2, 3, 6, 20])
@pytest.mark.parametrize("ray", [True, False])
def test_as_many_as_asked_in_the_order_of_the_work(kills: int, ray: bool) -> None:
    """Never more, and sorted, so that the first that is due comes first."""
    moments = draw_moments(STAGES, kills, 5, ray=ray)
    assert len(moments) == kills
    assert sorted(moments, key=place) == moments
    assert all(0 <= moment.share <= 0.95 for moment in moments)


def test_a_seed_gives_them_again() -> None:
    """The same seed the same moments, another seed others."""
    assert draw_moments(STAGES, 6, 1, ray=True) == draw_moments(STAGES, 6, 1, ray=True)
    assert draw_moments(STAGES, 6, 1, ray=True) != draw_moments(STAGES, 6, 2, ray=True)


@pytest.mark.parametrize("seed", range(20))
def test_everybody_is_killed_once_at_least(seed: int) -> None:
    """On Ray worker, driver and raylet from three kills on; without Ray there is no raylet."""
    killed = Counter(moment.victim for moment in draw_moments(STAGES, 6, seed, ray=True))
    assert killed == {"driver": 2, "worker": 3, "raylet": 1}
    assert {moment.victim for moment in draw_moments(STAGES, 2, seed, ray=False)} == {"driver", "worker"}


def test_a_long_training_does_not_take_all_kills() -> None:
    """Sixteen times the seconds are four times the kills."""
    moments = [moment for seed in range(50) for moment in draw_moments(STAGES, 10, seed, ray=False)]
    stages = Counter(moment.stage for moment in moments)
    assert 3 < stages["training"] / stages["first"] < 5


def test_progress_is_followed_where_it_is_told() -> None:
    """A stage that told of its progress is measured by it, another by the calm run's seconds."""

    def event(name: str, **data: object) -> Event:
        return Event("2026-11-22T10:00:00Z", name, data)

    told = [event("shards_committed", id="pages", done=done) for done in (1, 2, 3, 4)]
    ends = [event("stage_finished", id="pages", seconds=2.5), event("stage_finished", id="words", seconds=1.5)]
    assert stages_of([*told, *ends]) == [StageWork("pages", 2.5, True), StageWork("words", 1.5, False)]
