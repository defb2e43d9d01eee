"""How the learning rate moves over a training."""

from __future__ import annotations

import math
from typing import Literal

from corpusmill import Options, option


class Schedule(Options):
    """Warm-up from zero, then a decay to `final` of the peak."""

    type: Literal["cosine", "linear", "constant"] = option("cosine", help="shape of the decay after warm-up")
    warmup: float = option(0.05, ge=0, help="steps of warm-up; below 1 a share of all steps", unit="steps or share")
    final: float = option(0.1, ge=0, le=1, help="learning rate at the end over its peak", unit="share")


def learning_rate(peak: float, schedule: Schedule, step: int, steps: int) -> float:
    """Return the rate of the update number `step` (from 0) out of `steps`."""
    warmup = schedule.warmup * steps if schedule.warmup < 1 else schedule.warmup
    warmup = min(math.ceil(warmup), steps)
    if step < warmup:
        return peak * (step + 1) / warmup
    if schedule.type == "constant":
        return peak
    done = (step + 1 - warmup) / max(1, steps - warmup)
    left = 1 - done if schedule.type == "linear" else (1 + math.cos(math.pi * done)) / 2
    return peak * (schedule.final + (1 - schedule.final) * left)
