"""When a worker has had enough: what operators leave behind in it, in memory, open files and threads, is bounded."""

from __future__ import annotations

import os
import resource
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from corpusmill.spec.units import format_size

LEAST_MEMORY = 1 << 30
"""A worker may always hold so much (bytes), unless `run: {worker_memory: …}` says less."""
MOST_THREADS = 512
_LIMITLESS = 1 << 50
_CGROUP = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
_PROCESS = Path("/proc/self")


def weariness(settings: Mapping[str, Any]) -> str:
    """Return why this process should end after the unit at hand and a fresh one take its place; empty if it need not.

    `settings`: `worker_memory` (bytes, or None for a worker's share of half the machine's memory) and `workers`, how
    many share the machine.
    """
    held, limit = private_memory(), memory_limit(settings)
    if held > limit:
        return f"it held {format_size(held)} of memory, past its limit of {format_size(limit)}"
    files, most = _count("fd"), resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2
    if files > most > 0:
        return f"it held {files} files open, past half of what it may"
    threads = _count("task")
    if threads > MOST_THREADS:
        return f"it had {threads} threads, more than {MOST_THREADS}"
    return ""


def memory_limit(settings: Mapping[str, Any]) -> int:
    """Return how many bytes of its own a worker may hold between two units, and a suspect's trial may add."""
    asked = settings.get("worker_memory")
    share = machine_memory() // 2 // max(1, settings.get("workers") or 1)
    return int(asked) if asked else max(LEAST_MEMORY, share)


def private_memory() -> int:
    """Return the bytes this process holds for itself; pages of mapped files, which the system can drop, do not count.

    Where the system has no /proc, the most it ever held.
    """
    try:
        resident, shared = (_PROCESS / "statm").read_text().split()[1:3]
    except OSError:
        unit = 1 if os.uname().sysname == "Darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return (int(resident) - int(shared)) * resource.getpagesize()


def machine_memory() -> int:
    """Return the bytes of memory of this machine, or of the container this process is in."""
    found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for name in _CGROUP:
        try:
            bound = Path(name).read_text().strip()
        except OSError:
            continue
        if bound.isdigit() and int(bound) < _LIMITLESS:
            found = min(found, int(bound))
    return found


def _count(what: str) -> int:
    try:
        return sum(1 for _ in (_PROCESS / what).iterdir())
    except OSError:
        return 0
