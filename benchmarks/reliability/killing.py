"""One kill and what came of it: a run stopped at a place, a process killed there, the work finished, bytes compared."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mill import PATIENCE, Mill, Trial, go_on, kill, kill_driver, met, orphans, until_alone, wait_for

from corpusmill.runner.family import below

if TYPE_CHECKING:
    from grid import Grid

PHASES = (
    "pass",
    "commit",
    "exchange",
    "manifest",
    "tokenizer training",
    "model training",
    "evaluation",
    "export",
)
"""The phases that are hit on purpose; `tokens`, `plan` and `record` are what random kills hit beside them."""
TROUBLES = (TimeoutError, RuntimeError, ValueError, subprocess.TimeoutExpired)
SLOTS = {"inline": 1, "ray": 2}
"""Units of work that are in flight at most, by executor: one worker inline, two CPUs on Ray."""
NO_SHARDS = ("identify",)
"""Units that look at input files to cut them into shards: nothing of them is committed."""


@dataclass(frozen=True)
class Kill:
    """A kill: whom, where (an executor), in which phase and at which of its operations, and what came of it.

    `redone`: units of work that began again although they had begun before. `in_flight`: those that had begun and were
    not committed when the run ended. `alone`: seconds until nothing of it lived. `trouble`: what was not as promised,
    in words; empty when the kill was survived.
    """

    victim: str
    executor: str
    phase: str
    place: str
    redone: int
    in_flight: int
    alone: float
    trouble: str


def kill_and_finish(
    mill: Mill,
    trial: Trial,
    expected: dict[str, str],
    stop: tuple[str, int],
    victim: str,
    *arguments: str,
    executor: str = "inline",
    grid: Grid | None = None,
) -> Kill | None:
    """Run a trial, kill `victim` (driver, worker, raylet, node) where the run stops, finish, compare with a calm run.

    None when the run ended without coming to the place, or had no such process there.
    """
    if grid is not None:
        arguments = (*arguments, "--address", grid.address)
    process = mill.start(trial, *arguments, stops=[stop], executor=executor)
    place = met(trial, process, *stop)
    if place is None or not strike(trial, process, place, victim, grid):
        go_on(trial, *stop)
        mill.wait(trial, process)
        return None
    go_on(trial, *stop)
    try:
        return _aftermath(mill, trial, expected, process, (victim, executor, place["phase"], _words(place)), arguments)
    except TROUBLES as error:
        return Kill(victim, executor, place["phase"], _words(place), 0, 0, 0.0, str(error))


def strike(
    trial: Trial, process: subprocess.Popen[str], place: dict[str, Any], victim: str, grid: Grid | None = None
) -> bool:
    """Kill the victim of a run that waits at a place; False when there is none."""
    if victim == "driver":
        kill_driver(trial, process)
        return True
    worker = place["pid"] if place["pid"] != process.pid else next(iter(trial.workers()), None)
    if victim == "worker":
        return worker is not None and worker != process.pid and kill(worker)
    if grid is None:  # the raylet of the run's own cluster: its driver cannot go on without
        family = below([process.pid])
        found = [pid for pid in family if _command(pid).startswith(b"raylet") or b"/raylet/raylet" in _command(pid)]
        trial.killed |= family
        return sum(kill(pid) for pid in found) > 0
    node = grid.node_of(worker) if worker is not None else None
    if node is None:
        return False
    (grid.kill_node if victim == "node" else grid.kill_raylet)(node)
    return True


def _aftermath(
    mill: Mill,
    trial: Trial,
    expected: dict[str, str],
    process: subprocess.Popen[str],
    told: tuple[str, str, str, str],
    arguments: Sequence[str],
) -> Kill:
    """Wait for the run or for its end, run it again where it ended, and look at what there is."""
    process.wait(2 * PATIENCE)
    begun, alone, trouble = Counter(one["key"] for one in _shards(trial)), 0.0, ""
    redone, flying = sum(begun.values()) - len(begun), 0
    if process.returncode:
        alone = until_alone(trial)
        committed = set(trial.records()) | {path.stem for path in trial.folder.glob("out/.*/.records/*.json")}
        # Once all files of an export are finished its units are not remembered one by one.
        published = not list(trial.folder.glob("out/.*")) or bool(list(trial.folder.glob("out/.*/corpusmill.json")))
        flying = len({one["key"] for one in _shards(trial) if not (published and one["kind"] == "write")} - committed)
        if flying > SLOTS[told[1]]:
            trouble = f"{flying} units had begun and were not committed"
        mill.finish(trial, *arguments, executor=told[1])
        again = _shards(trial)
        redone += sum(one["key"] in begun and one["key"] not in committed for one in again)
        wasted = [one["kind"] for one in again if one["key"] in committed and one["kind"] != "write"]
        if wasted:
            trouble = trouble or f"committed work was done again: {', '.join(sorted(set(wasted)))}"
    if orphans(trial):
        trouble = trouble or f"{len(orphans(trial))} processes of the killed run live"
    if trial.published() != expected:
        trouble = trouble or f"other bytes: {_difference(trial.published(), expected)}"
    return Kill(*told, redone=redone, in_flight=flying, alone=round(alone, 2), trouble=trouble)


def strike_on_the_way(
    mill: Mill,
    trial: Trial,
    expected: dict[str, str],
    strikes: Mapping[tuple[str, int], str],
    grid: Grid | None = None,
) -> list[Kill]:
    """Run a trial, inline or on a cluster, and kill at each place whom `strikes` names for it; the run goes on."""
    arguments = ("--address", grid.address) if grid is not None else ()
    executor = "ray" if grid is not None else "inline"
    process = mill.start(trial, *arguments, stops=list(strikes), executor=executor)
    waiting, kills = dict(strikes), []
    while waiting and process.poll() is None:
        here = wait_for(lambda: _waiting(trial, waiting) or process.poll() is not None, "the next place")
        for stop in here if isinstance(here, list) else []:
            place = met(trial, process, *stop)
            assert place is not None
            victim = waiting.pop(stop)
            if strike(trial, process, place, victim, grid):
                kills.append((victim, executor, place["phase"], _words(place)))
            go_on(trial, *stop)
    if not kills:
        mill.wait(trial, process)
        return []
    try:
        after = _aftermath(mill, trial, expected, process, kills[0], arguments)
    except TROUBLES as error:
        return [Kill(*one, 0, 0, 0.0, str(error)) for one in kills]
    # A worker has one unit, a node of one CPU one worker; a run that stops by itself ends what is in flight.
    most = len(kills) + after.in_flight
    trouble = after.trouble or (
        f"{after.redone} units done again after {len(kills)} kills" if after.redone > most else ""
    )
    # What was redone belongs to all kills of the run: it is told with the first.
    rest = [Kill(*one, 0, 0, 0.0, trouble) for one in kills[1:]]
    return [Kill(*kills[0], after.redone, after.in_flight, after.alone, trouble), *rest]


def _waiting(trial: Trial, stops: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    return [one for one in stops if (trial.witness / f"met-{one[0]}-{one[1]}").exists()]


def _shards(trial: Trial) -> list[dict[str, Any]]:
    return [one for one in trial.units() if one["kind"] not in NO_SHARDS]


def _words(place: dict[str, Any]) -> str:
    """Say where: the operation, and what on (names of content left out)."""
    parts = [part for part in place["path"].partition("/trials/")[2].split("/")[1:] if len(part) < 28]
    return f"before {place['event']} in {'/'.join(parts) or 'the folder'}"


def _difference(found: dict[str, str], expected: dict[str, str]) -> str:
    names = sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))
    return f"{len(names)} names, such as {', '.join(names[:3])}"


def _command(pid: int) -> bytes:
    from pathlib import Path

    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]
    except OSError:
        return b""
