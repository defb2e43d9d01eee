"""Deadlines that fire even while a C loop holds the interpreter: a timer thread ends the process."""

from __future__ import annotations

import contextlib
import faulthandler
import os
from collections.abc import Iterator
from functools import cache
from typing import IO

PATIENCE = 10
"""Reading may take so many times the deadline of a row-wise call: it waits for disks, and nobody can try its documents
one by one."""


@contextlib.contextmanager
def deadline(seconds: float | None) -> Iterator[None]:
    """End this process with exit code 1 unless the block ends in time; None: it may take for ever."""
    start_deadline(seconds)
    try:
        yield
    finally:
        if seconds is not None:
            stop_deadline()


def start_deadline(seconds: float | None) -> None:
    """End this process after so many seconds, counted from now; what was set before no longer holds. None: never."""
    if seconds is not None:
        faulthandler.dump_traceback_later(seconds, exit=True, file=nowhere())


def stop_deadline() -> None:
    """Let this process live, whatever was set before."""
    faulthandler.cancel_dump_traceback_later()


def patient(seconds: float | None) -> float | None:
    """Return the deadline of a call that is no row's."""
    return None if seconds is None else PATIENCE * seconds


@cache
def nowhere() -> IO[str]:
    """The traceback of a timed-out call goes to no terminal; the breadcrumb says all that is reported."""
    return open(os.devnull, "w")
