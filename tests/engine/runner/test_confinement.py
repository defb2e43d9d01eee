"""What a process does to itself shows as such: its own SIGKILL is none, and more memory than it may take is refused."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from corpusmill.runner.confinement import SELF_KILLED, confine

linux = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"), reason="seccomp of Linux only"
)


def ending(work: Callable[[], object], memory: int | None = None, *, kill: bool = False) -> int:
    """Run work in a confined child of its own group; return how it ended: an exit code, or minus a signal."""
    child = os.fork()
    if child == 0:
        try:
            os.setpgid(0, 0)
            confine(memory)
            work()
            os._exit(0)
        except MemoryError:
            os._exit(77)
        finally:
            os._exit(99)
    if kill:
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


OWN = {
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "raise": lambda: signal.raise_signal(signal.SIGKILL),
    "group": lambda: os.killpg(os.getpgrp(), signal.SIGKILL),
    "zero": lambda: os.kill(0, signal.SIGKILL),
}


@linux
@pytest.mark.parametrize("way", OWN)
def test_its_own_sigkill_ends_it_otherwise(way: str) -> None:
    """To itself, its thread or its group."""
    assert ending(OWN[way]) == -SELF_KILLED


@linux
def test_a_sigkill_from_outside_stays_one() -> None:
    """The parent's."""
    assert ending(lambda: time.sleep(600), kill=True) == -signal.SIGKILL


def end_a_child() -> None:
    child = subprocess.Popen(["sleep", "600"])
    child.kill()
    assert child.wait() == -signal.SIGKILL
    os.kill(os.getpid(), 0)


def end_by_term() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # libraries of other tests may handle it
    os.kill(os.getpid(), signal.SIGTERM)


def test_other_signals_and_other_processes_are_its_own_business() -> None:
    """An operator may end the programs that it started, and ask whether it lives."""
    assert ending(end_a_child) == 0
    assert ending(end_by_term) == -signal.SIGTERM


@pytest.mark.skipif(sys.platform != "linux", reason="bounded memory needs Linux")
@pytest.mark.parametrize(("size", "code"), [(16 << 20, 0), (200 << 20, 77)])
def test_memory_beyond_the_bound_is_refused(size: int, code: int) -> None:
    """Sixteen megabytes of a hundred are there, two hundred are a MemoryError."""
    assert ending(lambda: b"x" * size, 100 << 20) == code
