"""Learning rates over a training."""

from __future__ import annotations

import math

import pytest

from corpusmill_plugins.trainers.schedule import Schedule, learning_rate


def rates(schedule: Schedule, steps: int = 100) -> list[float]:
    return [learning_rate(2.0, schedule, step, steps) for step in range(steps)]


@pytest.mark.parametrize("kind", ["cosine", "linear", "constant"])
def test_warmup_rises_to_the_peak(kind: str) -> None:
    """Warm-up by a share or by steps climbs in equal parts and reaches the peak."""
    for warmup in (0.1, 10):
        values = rates(Schedule(type=kind, warmup=warmup))
        assert values[:10] == pytest.approx([0.2 * (step + 1) for step in range(10)])
        assert max(values) == 2.0


@pytest.mark.parametrize(("kind", "middle"), [("cosine", 1.1), ("linear", 1.1), ("constant", 2.0)])
def test_decay_ends_at_the_final_share(kind: str, middle: float) -> None:
    """The last update has the final share of the peak; half-way the rate stands half-way."""
    values = rates(Schedule(type=kind, warmup=0, final=0.1))
    assert values[49] == pytest.approx(middle)
    assert values[-1] == pytest.approx(2.0 if kind == "constant" else 0.2)


def test_cosine_is_a_cosine() -> None:
    """A quarter of the way the cosine has lost (1 - cos 45°) / 2."""
    assert rates(Schedule(warmup=0, final=0))[24] == pytest.approx(1 + math.cos(math.pi / 4))
