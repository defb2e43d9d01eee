"""Measures one command in a fresh process tree: wall, CPU with that of exited children, peak memory by role."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER: orphans of a command become ours, so that nothing of it is missed
_EVERY = 0.05
_TICK = os.sysconf("SC_CLK_TCK")
PATIENCE = 30


@dataclass
class Measured:
    """Seconds and bytes of one command.

    `cpu`: of the command and all children it waited for (RUSAGE_CHILDREN). `tree_cpu`: summed over every process
    seen below it, sampled, for commands whose children are not theirs to wait for (Ray); `None` when not sampled.
    """

    wall: float
    cpu: float
    tree_cpu: float | None = None
    peak_mb: dict[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The raw numbers, rounded to what they can carry."""
        row: dict[str, Any] = {"wall_s": round(self.wall, 3), "cpu_s": round(self.cpu, 3)}
        if self.tree_cpu is not None:
            row["tree_cpu_s"] = round(self.tree_cpu, 2)
        if self.peak_mb:
            row["peak_mb"] = {name: round(peak, 1) for name, peak in sorted(self.peak_mb.items())}
        return row


def measure(command: list[str], folder: Path, *, sample: bool = False) -> Measured:
    """Run a command in `folder` to its end; raises RuntimeError with its last words when it fails."""
    ctypes.CDLL(None).prctl(_SUBREAPER, 1)
    log = folder / "command.log"
    # As installed packages run: byte code is cached.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with open(log, "wb") as sink:
        started = time.monotonic()
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=sink, stderr=subprocess.STDOUT)
        sampler = _Sampler(process.pid) if sample else None
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if sampler is not None:
        sampler.stop()
    _end_orphans()
    if process.returncode:
        raise RuntimeError(f"{command} ended with {process.returncode}:\n{log.read_text(errors='replace')[-2000:]}")
    cpu = usage.ru_utime + usage.ru_stime
    if sampler is None:
        return Measured(wall, cpu)
    return Measured(wall, cpu, sum(sampler.cpu.values()), sampler.peak)


class _Sampler(threading.Thread):
    """Looks at every process below ours: CPU so far and the peak of its resident memory."""

    def __init__(self, driver: int):
        super().__init__(daemon=True)
        self._driver, self._ended = driver, threading.Event()
        self.cpu: dict[tuple[int, str], float] = {}
        self.peak: dict[str, float] = {}
        self.start()

    def run(self) -> None:
        while not self._ended.wait(_EVERY):
            for pid in descendants():
                self._look(pid)

    def stop(self) -> None:
        self._ended.set()
        self.join()

    def _look(self, pid: int) -> None:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            status = Path(f"/proc/{pid}/status").read_text()
            line = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return
        self.cpu[pid, fields[19]] = (int(fields[11]) + int(fields[12])) / _TICK
        role = self._role(pid, line)
        peak = next((int(row.split()[1]) / 1024 for row in status.splitlines() if row.startswith("VmHWM")), 0.0)
        self.peak[role] = max(self.peak.get(role, 0.0), peak)

    def _role(self, pid: int, line: bytes) -> str:
        if pid == self._driver:
            return "driver"
        names = {b"raylet": "raylet", b"gcs_server": "gcs_server", b"agent.py": "agent", b"log_monitor": "log_monitor"}
        first = line.split(b"\0")[:3]
        found = (name for part, name in names.items() if any(part in word for word in first))
        return next(found, "worker")


def descendants() -> list[int]:
    """The processes below this one."""
    children: dict[int, list[int]] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = status.read_text().rpartition(")")[2].split()[1]
        except OSError:
            continue
        children.setdefault(int(parent), []).append(int(status.parent.name))
    found, level = [], [os.getpid()]
    while level:
        level = [child for parent in level for child in children.get(parent, [])]
        found += level
    return found


def _end_orphans() -> None:
    """Wait for what the command left behind (Ray's agents live on for seconds), so that it disturbs nothing after."""
    deadline = time.monotonic() + PATIENCE
    while descendants():
        try:
            ended, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if ended:
            continue
        if time.monotonic() > deadline:
            for pid in descendants():
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
