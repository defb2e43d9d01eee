"""Bounds on a process that tries a suspect document, so that what it does to itself differs from what is done to it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import resource
import signal
import struct
import sys
from pathlib import Path

SELF_KILLED = signal.SIGSYS
"""How a confined process dies of a SIGKILL that it sends to itself; one that comes from outside is a SIGKILL."""

_NO_NEW_PRIVILEGES, _SECCOMP, _FILTER = 38, 22, 2
"""prctl: PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER."""
_LOAD, _JUMP_IF_EQUAL, _JUMP, _RETURN = 0x20, 0x15, 0x05, 0x06
_ALLOW, _END_PROCESS = 0x7FFF0000, 0x80000000
_NUMBER, _MACHINE, _FIRST, _SECOND, _THIRD = 0, 4, 16, 24, 32
"""Offsets in `struct seccomp_data`: the call's number, the architecture, the low words of its arguments."""
_CALLS = {"x86_64": (0xC000003E, 62, 200, 234), "aarch64": (0xC00000B7, 129, 130, 131)}
"""Machine -> its audit number, and the numbers of kill, tkill and tgkill there."""


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))


def confine(memory: int | None) -> None:
    """Bound this process for the rest of its life, and all that it starts.

    A SIGKILL to itself or its group ends it with SELF_KILLED (Linux on x86-64 and ARM; elsewhere a SIGKILL stays one).
    `memory`: bytes that it may add to what it holds; an operator that wants more gets a MemoryError.
    """
    if memory is not None:
        _bound_memory(memory)
    numbers = _CALLS.get(platform.machine())
    if sys.platform == "linux" and numbers is not None:
        _refuse_own_kill(*numbers)


def _bound_memory(more: int) -> None:
    with contextlib.suppress(OSError, ValueError):  # a system without the one or the other: no bound
        held = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        bound = held + more
        resource.setrlimit(resource.RLIMIT_DATA, (bound if hard < 0 else min(bound, hard), hard))


def _refuse_own_kill(machine: int, kill: int, tkill: int, tgkill: int) -> None:
    """Let the kernel end this process when it sends SIGKILL to itself (seccomp, which any process may ask for)."""
    own, group = os.getpid(), 2**32 - os.getpgrp()
    lines = [
        (_LOAD, 0, 0, _MACHINE),
        (_JUMP_IF_EQUAL, 0, 14, machine),
        (_LOAD, 0, 0, _NUMBER),
        (_JUMP_IF_EQUAL, 3, 0, kill),
        (_JUMP_IF_EQUAL, 2, 0, tkill),
        (_JUMP_IF_EQUAL, 3, 0, tgkill),
        (_RETURN, 0, 0, _ALLOW),
        (_LOAD, 0, 0, _SECOND),  # kill(target, signal), tkill(target, signal)
        (_JUMP, 0, 0, 1),
        (_LOAD, 0, 0, _THIRD),  # tgkill(target, thread, signal)
        (_JUMP_IF_EQUAL, 0, 5, signal.SIGKILL),
        (_LOAD, 0, 0, _FIRST),
        (_JUMP_IF_EQUAL, 4, 0, own),
        (_JUMP_IF_EQUAL, 3, 0, 0),  # the process's own group
        (_JUMP_IF_EQUAL, 2, 0, 2**32 - 1),  # everybody
        (_JUMP_IF_EQUAL, 1, 0, group),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _END_PROCESS),
    ]
    code = b"".join(struct.pack("<HBBI", *line) for line in lines)
    system = ctypes.CDLL(None)
    # Where either is refused (a stricter sandbox), a SIGKILL of its own looks like one from outside.
    if system.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0:
        system.prctl(_SECCOMP, _FILTER, ctypes.byref(_Program(len(lines), code)))
