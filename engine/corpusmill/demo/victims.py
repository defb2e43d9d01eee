"""Who can be killed: the processes of a run by what they do, as the kernel lists them."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from corpusmill.runner.family import below

DRIVER, WORKER, RAYLET = "driver", "worker", "raylet"
TOLD = {DRIVER: "the driver", WORKER: "a worker", RAYLET: "the raylet (Ray's node manager)"}

_NO_WORK = ("IDLE", "Agent")


def victims(driver: int) -> Mapping[str, Sequence[int]]:
    """Return role -> processes of a run.

    Workers of Ray say in their titles what they do; only those with work count, for to kill an idle one shows nothing,
    and Ray's agents, which have such titles too, do none.
    Without Ray the worker is a child of the driver.
    """
    workers: list[int] = []
    raylets: list[int] = []
    for pid in below([driver]):
        words = _command(pid)
        if not words or pid == driver:
            continue
        if words[0].startswith("ray::"):
            workers += [] if words[0].split()[0].endswith(_NO_WORK) else [pid]
        elif words[0].endswith("/raylet"):
            raylets.append(pid)
        elif _parent(pid) == driver and _is_inline_worker(words, driver):
            workers.append(pid)
    return {DRIVER: [driver], WORKER: sorted(workers), RAYLET: raylets}


def _is_inline_worker(words: Sequence[str], driver: int) -> bool:
    """A forked worker has the driver's command line, one that was started afresh its module's name."""
    return words == _command(driver) or "corpusmill.runner.fresh_worker" in words


def _command(pid: int) -> Sequence[str]:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").rstrip("\0").split("\0")
    return []


def _parent(pid: int) -> int:
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return 0
