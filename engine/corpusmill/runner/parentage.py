"""Ties a process's life to its parent's, so that a killed driver leaves nobody behind."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG


def die_with(parent: int) -> None:
    """Ask the kernel for SIGKILL when the parent ends; end now if it ended already.

    Where there is no such call (macOS) a process ends when the pipe to its parent does.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)
