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
WITHOUT_TORCH = tuple(phase for phase in PHASES if phase not in TORCH)
ONE_UNIT = ("tokenizer training", *TORCH)


@dataclass(frozen=True)
class Counts:
    """How many runs: in which workers die on the way, of text and of models, inline and on Ray; with a driver killed in
    each phase of text and of models; with nodes lost, drivers killed spread over all work, and raylets of their own.
    """

    text: int
    models: int
    ray: int
    drivers: int
    model_drivers: int
    lost: int
    spread: int
    raylets: int


SCALES = {"full": Counts(6, 6, 3, 3, 3, 3, 40, 3), "small": Counts(4, 5, 1, 1, 0, 1, 8, 1)}
A_RUN = 3
"""Kills in each phase of one run; of one unit of work (a training, say) only two, for the third ends the run."""


def measure() -> dict[str, Any]:
    """Kill, and return what came of it by phase and by who was killed."""
    counts = SCALES[os.environ.get("CORPUSMILL_RELIABILITY_SCALE", "full")]
    draw = random.Random(1)
    kills: list[Kill] = []
    spread: list[Kill] = []
    # Ctrl-C reports what was done so far: all of it takes an hour or two where cores are few.
    with contextlib.suppress(KeyboardInterrupt), contextlib.ExitStack() as stack:
        text, model = stack.enter_context(new_mill(TEXT)), stack.enter_context(new_mill(MODEL))
        calm = text.trial()
        text.finish(calm)
        _note(_on_the_way(text, None, calm, WITHOUT_TORCH, counts.text, draw), kills)
        _note(_spread(text, calm, counts.spread, draw), spread)
        with new_grid(text.environment) as grid:
            _note(_lost(text, calm, grid, counts.lost, draw), kills)
            _note(_on_the_way(text, None, calm, WITHOUT_TORCH, counts.ray, draw, grid), kills)
        _note(_drivers(text, None, calm, WITHOUT_TORCH, counts.drivers, draw), kills)
        start = model.trial()
        model.finish(start, "--until", "tokens")
        calm = model.trial(start)
        model.finish(calm)
        _note(_on_the_way(model, start, calm, TORCH, counts.models, draw), kills)
        _note(_drivers(model, start, calm, TORCH, counts.model_drivers, draw), kills)
        calm = text.trial()
        text.finish(calm)
        _note(_own_raylets(text, calm, counts.raylets, draw), kills)
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


def _on_the_way(
    mill: Mill,
    start: Trial | None,
    calm: Trial,
    phases: Sequence[str],
    runs: int,
    draw: random.Random,
    grid: Grid | None = None,
) -> Iterator[Kill | None]:
    """Workers in each of the phases of a run, which goes on; in so many runs, inline or on a cluster of two nodes."""
    each = {phase: 2 if phase in ONE_UNIT else A_RUN for phase in phases}
    by_phase = {phase: places(calm.count(phase), runs * each[phase], draw) for phase in phases}
    for turn in range(runs):
        strikes = {(phase, number): "worker" for phase in phases for number in by_phase[phase][turn::runs]}
        yield from strike_on_the_way(mill, mill.trial(start), calm.published(), strikes, grid)


def _drivers(
    mill: Mill, start: Trial | None, calm: Trial, phases: Sequence[str], count: int, draw: random.Random
) -> Iterator[Kill | None]:
    """Inline: the driver, in each of the phases, from a store that has all before them."""
    for phase in phases:
        for number in places(calm.count(phase), count, draw):
            yield kill_and_finish(mill, mill.trial(start), calm.published(), (phase, number), "driver")


def _lost(mill: Mill, calm: Trial, grid: Grid, count: int, draw: random.Random) -> Iterator[Kill | None]:
    """On a cluster: nodes and raylets on the way, one in each phase of a run; and a driver, the phases in turn."""
    for turn in range(count):
        strikes = {}
        for place, phase in enumerate(WITHOUT_TORCH):
            strikes[phase, places(calm.count(phase), 1, draw)[0]] = ("node", "raylet")[(place + turn) % 2]
        yield from strike_on_the_way(mill, mill.trial(), calm.published(), strikes, grid)
        phase = WITHOUT_TORCH[turn % len(WITHOUT_TORCH)]
        stop = (phase, places(calm.count(phase), 1, draw)[0])
        yield kill_and_finish(mill, mill.trial(), calm.published(), stop, "driver", executor="ray", grid=grid)


def _own_raylets(mill: Mill, calm: Trial, count: int, draw: random.Random) -> Iterator[Kill | None]:
    """The raylet of the cluster that a run has started for itself: nothing of it can go on."""
    for turn in range(count):
        phase = ("exchange", "pass", "export")[turn % 3]
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
        "columns": ["phase", *VICTIMS, "kills", "survived"],
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
            (
                f"Units of work (shards, mostly) done again after the kill of a driver: {_redone(every)}. A worker's "
                "kill costs the one it had. Processes of a run whose driver was killed were gone after "
                f"{_longest(drivers)} s at the latest."
            ),
        ],
        "failed": broken,
        "kills": [one.__dict__ for one in every],
    }


def _row(name: str, kills: list[Kill]) -> list[Any]:
    victims = Counter(one.victim for one in kills)
    return [
        name,
        *(victims[one] for one in VICTIMS),
        len(kills),
        sum(not one.trouble for one in kills),
    ]


def _longest(kills: list[Kill]) -> str:
    return f"{max((one.alone for one in kills), default=0.0):.1f}"


def _redone(kills: list[Kill]) -> str:
    """Say how many units the next run did again: of drivers, for each of their kills has a run of its own."""
    redone = [one.redone for one in kills if one.victim == "driver"]
    return f"{sum(redone) / max(1, len(redone)):.2f} on average, {max(redone, default=0)} at most"
