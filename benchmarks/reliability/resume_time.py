"""How long a killed driver's work stands still: from the same command's start to the first shard that goes on."""

from __future__ import annotations

import os
import time
from statistics import median
from typing import Any

from grid import new_grid
from mill import TEXT, Mill, kill_driver, met, new_mill

TIMES = {"full": 10, "small": 4}
PASS = TEXT[:2]


def measure() -> dict[str, Any]:
    """Kill drivers in the middle of a pass; return the seconds until the next run's first shard begins and commits."""
    times = TIMES[os.environ.get("CORPUSMILL_RELIABILITY_SCALE", "full")]
    rows = []
    with new_mill(PASS, files=24) as mill:
        rows.append(_row("inline", _measured(mill, times, "inline")))
        rows.append(_row("Ray, a cluster of its own", _measured(mill, max(2, times // 2), "ray", "--workers", "2")))
    with new_mill(PASS, files=24) as mill, new_grid(mill.environment) as grid:
        rows.append(_row("Ray, a cluster that is there", _measured(mill, times, "ray", "--address", grid.address)))
    return {
        "title": "Time to the first resumed shard after a driver's kill",
        "columns": ["executor", "kills", "first shard begins after, s (median)", "is committed after, s", "slowest, s"],
        "rows": rows,
        "notes": [
            (
                "From the start of the same command, right after the kill, to the first unit of work that the killed "
                "run had not committed: the interpreter and its imports, ending what the dead driver left, taking "
                "over its lease, planning, and, on Ray, starting or joining the cluster and its workers."
            ),
        ],
    }


def _measured(mill: Mill, times: int, executor: str, *arguments: str) -> list[tuple[float, float]]:
    """Return (begun, committed) in seconds for so many kills, each in another place."""
    found = []
    for turn in range(times):
        trial = mill.trial()
        stop = ("commit", 12 + 3 * turn)
        process = mill.start(trial, *arguments, stops=[stop], executor=executor)
        if met(trial, process, *stop) is None:
            raise RuntimeError("the run ended before it could be killed")
        kill_driver(trial, process)
        done = set(trial.records())
        began = time.time()
        process = mill.start(trial, *arguments, executor=executor)
        mill.wait(trial, process)
        first = {what: _first(trial.units(what), done) for what in ("begin", "end")}
        found.append((first["begin"] - began, first["end"] - began))
    return found


def _first(units: list[dict[str, Any]], done: set[str]) -> float:
    return float(min(one["time"] for one in units if one["kind"] == "pass" and one["key"] not in done))


def _row(name: str, found: list[tuple[float, float]]) -> list[Any]:
    begun, committed = [one[0] for one in found], [one[1] for one in found]
    return [name, len(found), round(median(begun), 2), round(median(committed), 2), round(max(committed), 2)]
