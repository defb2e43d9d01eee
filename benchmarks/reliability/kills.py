"""Real kills: SIGKILL of drivers, workers, raylets and nodes at chosen and at random places of a run, in every phase.

A run is stopped before the n-th operation on a file of its store that some phase does, and a process is killed there;
then the same command runs again. Work is counted in such operations: they are the same on a crowded machine as on a
quiet one, which no clock is.
"""

from __future__ import annotations

import contextlib
import os
import random
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from grid import Grid, new_grid
from killing import PHASES, Kill, kill_and_finish, strike_on_the_way
from mill import MODEL, TEXT, Mill, Trial, new_mill

VICTIMS = ("driver", "worker", "raylet", "node")
TORCH = ("model training", "evaluation")
BEFORE = {"model training": "tokens", "evaluation": "model"}
"""Phase -> the last step that is finished before its kills begin, where the way there takes long."""


@dataclass(frozen=True)
class Counts:
    """How many kills: of drivers a phase (fewer where that needs torch), of drivers spread over a whole run; in how
    many runs a worker dies in each phase, inline and on Ray; of drivers and of nodes on Ray; of a run's own raylet.
    """

    drivers: int
    torch: int
    spread: int
    inline: int
    ray: int
    lost: int
    raylets: int


SCALES = {"full": Counts(10, 10, 60, 10, 10, 8, 6), "small": Counts(3, 2, 8, 6, 3, 2, 1)}


def measure() -> dict[str, Any]:
    """Kill, and return what came of it by phase and by who was killed."""
    counts = SCALES[os.environ.get("CORPUSMILL_RELIABILITY_SCALE", "full")]
    draw = random.Random(1)
    kills: list[Kill] = []
    spread: list[Kill] = []
    # Ctrl-C reports what was done so far: all of it takes an hour.
    with contextlib.suppress(KeyboardInterrupt):
        with new_mill(MODEL) as mill:
            calm = mill.trial()
            mill.finish(calm)
            _note(_on_the_way(mill, calm, counts.inline, draw), kills)
            _note(_spread(mill, calm, counts.spread, draw), spread)
            with new_grid(mill.environment) as grid:
                _note(_on_the_way(mill, calm, counts.ray, draw, grid), kills)
                _note(_lost(mill, calm, grid, counts.lost, draw), kills)
            _note(_drivers(mill, TORCH, counts.torch, draw), kills)
        with new_mill(TEXT) as mill:
            _note(_own_raylets(mill, counts.raylets, draw), kills)
            _note(_drivers(mill, [one for one in PHASES if one not in TORCH], counts.drivers, draw), kills)
    return report(kills, spread)


def _note(kills: Iterator[Kill | None], found: list[Kill]) -> None:
    """Collect kills, telling each on stderr as it comes: an hour of silence is hard to trust."""
    for one in kills:
        if one is not None:
            found.append(one)
            print(f"{one.executor:7} {one.victim:7} {one.phase:19} {one.trouble or 'survived'}", file=sys.stderr)


def places(total: int, count: int, draw: random.Random) -> list[int]:
    """Return numbers from 1 to `total`, one at random in each of `count` equal slices."""
    return [min(total, 1 + int((slot + draw.random()) * total / count)) for slot in range(count)] if total else []


def _drivers(mill: Mill, phases: Sequence[str], count: int, draw: random.Random) -> Iterator[Kill | None]:
    """Inline: the driver, in each of the phases, from a store that has all before the phase where that is torch's."""
    for phase in phases:
        start = None
        if phase in BEFORE:
            start = mill.trial()
            mill.finish(start, "--until", BEFORE[phase])
        calm = mill.trial(start)
        mill.finish(calm)
        for number in places(calm.count(phase), count, draw):
            yield kill_and_finish(mill, mill.trial(start), calm.published(), (phase, number), "driver")


def _on_the_way(
    mill: Mill, calm: Trial, count: int, draw: random.Random, grid: Grid | None = None
) -> Iterator[Kill | None]:
    """A worker in each phase of one run, which goes on; in so many runs, inline or on a cluster of two nodes."""
    by_phase = {phase: places(calm.count(phase), count, draw) for phase in PHASES}
    for turn in range(count):
        strikes = {(phase, numbers[turn]): "worker" for phase, numbers in by_phase.items() if numbers}
        yield from strike_on_the_way(mill, mill.trial(), calm.published(), strikes, grid)


def _lost(mill: Mill, calm: Trial, grid: Grid, count: int, draw: random.Random) -> Iterator[Kill | None]:
    """On a cluster: whole nodes and raylets in passing, two in a run, and drivers; phase after phase in turn."""
    for turn in range(count):
        first, second = PHASES[2 * turn % len(PHASES)], PHASES[(2 * turn + 1) % len(PHASES)]
        strikes = {}
        for phase, victim in (
            ((first, "node"), (second, "raylet")) if turn % 2 else ((first, "raylet"), (second, "node"))
        ):
            strikes[phase, places(calm.count(phase), 1, draw)[0]] = victim
        yield from strike_on_the_way(mill, mill.trial(), calm.published(), strikes, grid)
        stop = (second, places(calm.count(second), 1, draw)[0])
        yield kill_and_finish(mill, mill.trial(), calm.published(), stop, "driver", executor="ray", grid=grid)


def _own_raylets(mill: Mill, count: int, draw: random.Random) -> Iterator[Kill | None]:
    """The raylet of the cluster that a run has started for itself: nothing of it can go on."""
    calm = mill.trial()
    mill.finish(calm)
    for turn in range(count):
        phase = ("pass", "exchange", "export")[turn % 3]
        stop = (phase, places(calm.count(phase), 1, draw)[0])
        how = ("--workers", "2")
        yield kill_and_finish(mill, mill.trial(), calm.published(), stop, "raylet", *how, executor="ray")


def _spread(mill: Mill, calm: Trial, count: int, draw: random.Random) -> Iterator[Kill | None]:
    """Inline: the driver, at places spread evenly over all operations of a calm run."""
    for number in places(calm.count(), count, draw):
        yield kill_and_finish(mill, mill.trial(), calm.published(), ("any", number), "driver")


def report(kills: list[Kill], spread: list[Kill]) -> dict[str, Any]:
    """Return the section: a row a phase, a column a victim, and in the notes what holds over all of them."""
    every = [*kills, *spread]
    named = [*PHASES, *sorted({one.phase for one in every} - set(PHASES))]
    rows = [_row(phase, [one for one in every if one.phase == phase]) for phase in named]
    rows.append(_row("all", every))
    executors = Counter(one.executor for one in every)
    drivers = [one for one in every if one.alone]
    broken = [
        f"{one.victim} killed in {one.phase} ({one.place}, {one.executor}): {one.trouble}"
        for one in every
        if one.trouble
    ]
    histogram = ", ".join(f"{phase} {number}" for phase, number in Counter(one.phase for one in spread).most_common())
    return {
        "title": "Real kills: SIGKILL in every phase",
        "columns": ["phase", *VICTIMS, "kills", "survived", "units redone per kill", "at most"],
        "rows": rows,
        "notes": [
            (
                "Survived: the same command finished the work, published the bytes of a run that was never killed "
                "(every file, record, manifest and export compared), did no committed unit of work again, and "
                "nothing of the killed run was left."
            ),
            (
                f"{executors['inline']} kills inline, {executors['ray']} on Ray clusters: one of a head and two nodes "
                "that drivers join, and clusters that runs start themselves. A node dies with all its processes and is "
                "replaced by another; a killed raylet takes its workers along, and the driver, if it is its own."
            ),
            (
                f"{len(spread)} of the drivers were killed at places spread evenly over all operations on files that "
                f"a calm run does; they fell on: {histogram}."
            ),
            f"Processes of a killed run were gone after {_longest(drivers)} s at the latest.",
        ],
        "failed": broken,
        "kills": [one.__dict__ for one in every],
    }


def _row(name: str, kills: list[Kill]) -> list[Any]:
    victims = Counter(one.victim for one in kills)
    redone = [one.redone for one in kills]
    return [
        name,
        *(victims[one] for one in VICTIMS),
        len(kills),
        sum(not one.trouble for one in kills),
        round(sum(redone) / max(1, len(redone)), 2),
        max(redone, default=0),
    ]


def _longest(kills: list[Kill]) -> str:
    return f"{max((one.alone for one in kills), default=0.0):.1f}"
