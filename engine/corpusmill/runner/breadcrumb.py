"""Breadcrumbs: a worker's last words about where it was, in a small mapped file that survives its death."""

from __future__ import annotations

import mmap
import os
import struct
from dataclasses import dataclass
from pathlib import Path

_LAYOUT = struct.Struct("<8siqq")
READ, OPERATOR, COMMIT = "read", "operator", "commit"


@dataclass(frozen=True)
class Crumb:
    """Where a worker was: the phase, and inside an operator call the step and its rows [first, last].

    READ with a step: inside the reader, the stage's first. A call that is no row's has step and rows -1.
    """

    phase: str
    step: int = -1
    first: int = -1
    last: int = -1

    @property
    def called(self) -> bool:
        """Whether an operator was at work, the reader included."""
        return self.phase == OPERATOR or self.step >= 0


class Breadcrumb:
    """Writes crumbs; memory-mapped, so that a SIGKILL right after the write loses nothing.

    Each worker maps a file of its own and renames it into place: the last words of one that died before stay whole
    under its map, and a worker of a dead driver that lives on for a second cannot write into its successor's.
    """

    def __init__(self, path: Path):
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        beside.write_bytes(_LAYOUT.pack(READ.encode(), -1, -1, -1))
        with beside.open("r+b") as stream:
            self._map = mmap.mmap(stream.fileno(), _LAYOUT.size)
        os.replace(beside, path)
        self.path = path

    def put(self, phase: str, step: int = -1, first: int = -1, last: int = -1) -> None:
        """Say what comes next."""
        _LAYOUT.pack_into(self._map, 0, phase.encode(), step, first, last)

    def remove(self) -> None:
        """The unit ended: nothing to tell. Harmless when it was removed before."""
        self._map.close()
        self.path.unlink(missing_ok=True)


def read_crumb(path: Path) -> Crumb | None:
    """Return a dead worker's last crumb; None when it left none (another machine, or not started)."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    if len(data) < _LAYOUT.size:
        return None
    phase, step, first, last = _LAYOUT.unpack(data[: _LAYOUT.size])
    return Crumb(phase.rstrip(b"\0").decode("ascii", "replace") or READ, step, first, last)
