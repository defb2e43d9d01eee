"""A timer of the system (POSIX `timer_create`) that sends this process a signal: two calls to set it, no thread."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time


class SystemTimer:
    """Sends a signal to this process once, after so many seconds; a child that is forked does not inherit it.

    To set it takes two microseconds. A thread for each call took fifty, and sent the caller to another core.
    """

    def __init__(self, number: int):
        """`number`: the signal. Raises OSError or AttributeError where the system has no such timers."""
        if not (sys.platform == "linux" and sys.maxsize > 2**32):
            raise OSError("the structures below are those of 64-bit Linux")
        library = ctypes.CDLL(None, use_errno=True)
        self._set, self._id = library.timer_settime, ctypes.c_void_p()
        self._set.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(_Times), ctypes.c_void_p)
        event = _Event(number=number, notify=_SEND_SIGNAL)
        if library.timer_create(time.CLOCK_MONOTONIC, ctypes.byref(event), ctypes.byref(self._id)):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        # Whoever started this process may have blocked all signals, and left it so.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])

    def start(self, seconds: float) -> None:
        """Send the signal after so many seconds, counted from now; what was set before no longer holds."""
        whole = int(seconds)
        # Nothing at all would stop the timer.
        self._at(whole, max(int((seconds - whole) * 1e9), 0 if whole else 1))

    def stop(self) -> None:
        """Send nothing."""
        self._at(0, 0)

    def _at(self, seconds: int, nanoseconds: int) -> None:
        if self._set(self._id, 0, _Times(0, 0, seconds, nanoseconds), None):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


_SEND_SIGNAL = 0
"""SIGEV_SIGNAL of Linux."""


class _Event(ctypes.Structure):
    """`struct sigevent` of Linux, 64 bytes."""

    _fields_ = (
        ("value", ctypes.c_void_p),
        ("number", ctypes.c_int),
        ("notify", ctypes.c_int),
        ("rest", ctypes.c_char * 48),
    )


class _Times(ctypes.Structure):
    """`struct itimerspec`: the interval of a repetition (none here) and the time until the first signal."""

    _fields_ = (
        ("interval_seconds", ctypes.c_long),
        ("interval_nanoseconds", ctypes.c_long),
        ("seconds", ctypes.c_long),
        ("nanoseconds", ctypes.c_long),
    )
