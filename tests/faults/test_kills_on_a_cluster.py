"""A Ray cluster of two nodes: a worker, a whole node, a raylet, then the driver killed; the work goes on every time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.xdist_group("ray")

STRIKES = {
    ("pass", 12): "worker",
    ("commit", 20): "node",
    ("exchange", 15): "worker",
    ("export", 3): "raylet",
    ("tokenizer training", 2): "worker",
}


def test_nodes_and_workers_are_lost_on_the_way(reliability: Any, tmp_path: Path) -> None:
    """Five kills in one run, then one of a driver in another: same bytes, nobody left, what was in flight redone."""
    mill = reliability.Mill(tmp_path / "mill", reliability.TEXT, files=4)
    calm = mill.trial()
    mill.finish(calm)
    with reliability.new_grid(mill.environment) as grid:
        kills = reliability.strike_on_the_way(mill, mill.trial(), calm.published(), STRIKES, grid)
        assert [one.trouble for one in kills if one.trouble] == []
        assert sorted(one.victim for one in kills) == sorted(STRIKES.values())
        # Two CPUs: at most two units are at work when a node dies.
        assert sum(one.redone for one in kills) <= 2 * len(kills)
        last = reliability.kill_and_finish(
            mill, mill.trial(), calm.published(), ("commit", 30), "driver", executor="ray", grid=grid
        )
    assert last is not None
    assert not last.trouble
    assert last.redone <= last.in_flight <= 2


@pytest.mark.soak
def test_the_raylet_of_an_own_cluster_is_killed(reliability: Any, tmp_path: Path) -> None:
    """The driver cannot go on; it ends, nothing of its cluster is left, and the next run finishes."""
    mill = reliability.Mill(tmp_path / "mill", reliability.TEXT, files=4)
    calm = mill.trial()
    mill.finish(calm)
    kill = reliability.kill_and_finish(
        mill, mill.trial(), calm.published(), ("exchange", 5), "raylet", "--workers", "2", executor="ray"
    )
    assert kill is not None
    assert not kill.trouble
