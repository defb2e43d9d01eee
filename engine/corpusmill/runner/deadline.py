"""Deadlines that fire even while a C loop holds the interpreter: a timer of the system ends the process."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
from collections.abc import Iterator
from functools import cache
from typing import IO, Protocol

PATIENCE = 10
"""Reading may take so many times the deadline of a row-wise call: it waits for disks, and nobody can try its documents
one by one."""


@contextlib.contextmanager
def deadline(seconds: float | None) -> Iterator[None]:
    """End this process unless the block ends in time, as `how_it_ended` tells; None: it may take for ever."""
    start_deadline(seconds)
    try:
        yield
    finally:
        if seconds is not None:
            stop_deadline()


def start_deadline(seconds: float | None) -> None:
    """End this process after so many seconds, counted from now; what was set before no longer holds. None: never."""
    if seconds is not None:
        _timer().start(seconds)


def stop_deadline() -> None:
    """Let this process live, whatever was set before."""
    _timer().stop()


def patient(seconds: float | None) -> float | None:
    """Return the deadline of a call that is no row's."""
    return None if seconds is None else PATIENCE * seconds


def how_it_ended(code: int) -> str:
    """Return in words how a process ended; `code`: its exit code, or less than 0, the signal that killed it."""
    if code < 0 and -code == _signal():
        return "passed its deadline"
    return f"killed by signal {-code}" if code < 0 else f"exited with code {code}"


class _Timer(Protocol):
    def start(self, seconds: float) -> None: ...

    def stop(self) -> None: ...


class _ThreadTimer:
    """A thread for each deadline, where the system has no timers: it costs a cheap call more than the call itself."""

    def start(self, seconds: float) -> None:
        faulthandler.dump_traceback_later(seconds, exit=True, file=_nowhere())

    def stop(self) -> None:
        faulthandler.cancel_dump_traceback_later()


@cache
def _timer() -> _Timer:
    """Return this process's timer; a forked child makes its own."""
    number = _signal()
    if number is None:
        return _ThreadTimer()
    from corpusmill.runner.system_timer import SystemTimer

    try:
        return SystemTimer(number)
    except (AttributeError, OSError):
        return _ThreadTimer()


def _signal() -> int | None:
    """Return the signal of a deadline: one that ends a process, and that nobody sends or handles."""
    last: int | None = getattr(signal, "SIGRTMAX", None)
    return None if last is None else last - 5


@cache
def _nowhere() -> IO[str]:
    """The traceback of a timed-out call goes to no terminal; the breadcrumb says all that is reported."""
    return open(os.devnull, "w")


os.register_at_fork(after_in_child=_timer.cache_clear)
