"""When to kill whom: moments drawn over the work of a calm run, so that a seed gives them again."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from corpusmill.demo.victims import DRIVER, RAYLET, WORKER
from corpusmill.runner.journal import Event

_FINE = 4
"""A stage that told of its progress at least so many times is measured by that, others by the clock."""


@dataclass(frozen=True)
class StageWork:
    """A stage of the calm run: how long it took, and whether it told of its progress on the way."""

    id: str
    seconds: float
    fine: bool


@dataclass(frozen=True)
class Moment:
    """Kill this kind of process when this share of a stage is done; `seconds` as `Where.reached` takes it."""

    stage: str
    share: float
    seconds: float | None
    victim: str


def stages_of(events: Iterable[Event]) -> list[StageWork]:
    """Return the stages of a run with what its journal says of their work."""
    told: dict[str, set[object]] = {}
    stages = []
    for event in events:
        if event.event == "shards_committed":
            told.setdefault(str(event.data["id"]), set()).add(event.data.get("done"))
        elif event.event == "stage_finished":
            name = str(event.data["id"])
            stages.append(StageWork(name, float(event.data["seconds"]), len(told.get(name, ())) >= _FINE))
    return stages


def draw_moments(stages: Sequence[StageWork], kills: int, seed: int, *, ray: bool) -> list[Moment]:
    """Return the moments in order, one at random in each of `kills` equal slices of the work.

    A stage weighs as much as the root of its seconds, or training would take nearly all kills to itself.
    """
    draw = random.Random(seed)
    weights = [math.sqrt(max(stage.seconds, 0.01)) for stage in stages]
    moments = []
    for number, victim in enumerate(_victims(kills, draw, ray=ray)):
        point = (number + draw.random()) * sum(weights) / kills
        for stage, weight in zip(stages, weights, strict=True):
            if point <= weight or stage is stages[-1]:
                break
            point -= weight
        share = min(point / weight, 0.95)
        moments.append(Moment(stage.id, share, None if stage.fine else stage.seconds, victim))
    return moments


def _victims(kills: int, draw: random.Random, *, ray: bool) -> list[str]:
    """A third drivers, one raylet in six where there are any, else workers; each at least once if kills suffice."""
    drivers = max(1, round(kills / 3)) if kills else 0
    raylets = max(1, round(kills / 6)) if ray and kills > 2 else 0
    drawn = [DRIVER] * drivers + [RAYLET] * raylets + [WORKER] * (kills - drivers - raylets)
    draw.shuffle(drawn)
    return drawn
