"""The driver killed once in each phase of a run, from reading to evaluation: each next run goes on, the last is calm's.

The machinery is that of `make reliability`, which kills many times in each phase; see benchmarks/reliability.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

STOPS = [
    ("pass", 12),
    ("commit", 6),
    ("exchange", 10),
    ("manifest", 10),
    ("export", 4),
    ("tokenizer training", 3),
    ("model training", 20),
    ("evaluation", 3),
]
"""Phase and which of its file operations, counted in each run anew: later phases are reached by later runs."""


def test_a_driver_killed_once_in_each_phase(reliability: Any, tmp_path: Path) -> None:
    """Eight kills, one after the other, each before another operation: nobody lives on, no shard is made twice."""
    mill = reliability.Mill(tmp_path / "mill", reliability.MODEL, files=4)
    calm, trial = mill.trial(), mill.trial()
    mill.finish(calm)
    begun: Counter[str] = Counter()
    for stop in STOPS:
        process = mill.start(trial, stops=[stop])
        place = reliability.met(trial, process, *stop)
        assert place is not None, f"the run ended before operation {stop[1]} of {stop[0]}"
        assert place["phase"] == stop[0]
        reliability.kill_driver(trial, process)
        reliability.until_alone(trial)
        begun.update(one["key"] for one in trial.units() if one["kind"] not in ("identify", "write"))
    mill.finish(trial)
    begun.update(one["key"] for one in trial.units() if one["kind"] not in ("identify", "write"))
    assert trial.published() == calm.published()
    assert sum(begun.values()) - len(begun) <= len(STOPS), "more than one unit in flight redone for a kill"


@pytest.mark.parametrize(("phase", "number"), [("commit", 9), ("exchange", 12)])
def test_a_worker_killed_in_a_phase(reliability: Any, tmp_path: Path, phase: str, number: int) -> None:
    """The run goes on by itself, does that unit again and no other, and publishes what a calm run does."""
    mill = reliability.Mill(tmp_path / "mill", reliability.TEXT, files=3)
    calm = mill.trial()
    mill.finish(calm)
    kill = reliability.kill_and_finish(mill, mill.trial(), calm.published(), (phase, number), "worker")
    assert kill is not None
    assert kill.phase == phase
    assert not kill.trouble
    assert kill.redone <= 1
