"""Processes of this machine: told apart from later ones of the same number, listed with their children, ended."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path

Processes = Mapping[int, str]
"""Process number -> when that process started (`process_start`)."""
_PATIENCE = 5.0
_LOOK = 0.01


def process_start(pid: int) -> str | None:
    """Return a mark of when a process of this machine started, so that a reused number is told apart; None: unknown."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        # The name (field 2) may hold spaces and brackets: count fields after the last one. Start time is field 22.
        ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return None
    return f"{boot}:{ticks}"


def process_space() -> str | None:
    """Return what a process number means something in: this boot of this machine, this container; None: unknown."""
    try:
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return None


def is_alive(pid: int, start: str | None) -> bool:
    """Say whether this very process lives; one that has ended and waits for its parent does not."""
    if start is None or process_start(pid) != start:
        return False
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def family(driver: int, marker: str) -> dict[int, str]:
    """Return the children of a process that were started with `marker` in their command line, and all below them.

    Empty where the kernel does not list children (macOS).
    """
    return below([child for child in _children(driver) if marker.encode() in _command(child)])


def below(roots: list[int]) -> dict[int, str]:
    """Return these processes and all their descendants."""
    found: dict[int, str] = {}
    waiting = list(roots)
    while waiting:
        pid = waiting.pop()
        start = process_start(pid)
        if start is not None and pid not in found:
            found[pid] = start
            waiting += _children(pid)
    return found


def end(processes: Processes) -> int:
    """Kill those of the processes that still live, and their descendants; return how many there were.

    Waits until they are gone, at most five seconds. A number that another process has got since is left alone.
    """
    ended: dict[int, str] = {}
    latest = time.monotonic() + _PATIENCE
    while time.monotonic() < latest:
        living = [pid for pid, start in {**processes, **ended}.items() if is_alive(pid, start)]
        if not living:
            break
        targets = below(living)
        for pid in targets.keys() - ended.keys():
            _kill(pid, targets[pid])
        ended |= targets
        time.sleep(_LOOK)
    return len(ended)


def _kill(pid: int, start: str) -> None:
    """Kill a process by a handle on it: between the look at its start and the signal its number may change hands."""
    with contextlib.suppress(OSError):
        handle = os.pidfd_open(pid)
        try:
            if process_start(pid) == start:
                signal.pidfd_send_signal(handle, signal.SIGKILL)
        finally:
            os.close(handle)


def _children(pid: int) -> list[int]:
    """Return the children of a process; none of one that ends while it is looked at (`Path.glob` would raise then)."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                found += [int(one) for one in (task / "children").read_text().split()]
    return found


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
