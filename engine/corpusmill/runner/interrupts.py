"""Ctrl-C and SIGTERM: the first lets work in flight finish, the second stops now."""

from __future__ import annotations

import contextlib
import shlex
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from corpusmill.errors import Interrupted
from corpusmill.runner.policy import Control

STOP_FILE = "stop"
"""A file in the scratch folder that tells workers in long global work to save and return."""


@contextlib.contextmanager
def obey_signals(control: Control, scratch: str) -> Iterator[None]:
    """Handle SIGINT and SIGTERM for the duration of a run; outside the main thread nothing is installed."""
    stop = Path(scratch) / STOP_FILE
    stop.unlink(missing_ok=True)
    if sys.argv[1:2] == ["run"]:
        control.resume = f"corpusmill {shlex.join(sys.argv[1:])}"
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, frame: Any) -> None:
        if control.stopping:
            raise KeyboardInterrupt
        control.stopping = True
        stop.touch()
        print("\nstopping: finishing what is in flight; once more to stop now", file=sys.stderr)  # noqa: T201

    previous = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except KeyboardInterrupt:
        message = "stopped at once; everything that was finished before is kept"
        raise Interrupted(message, hint=control.resume) from None
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        stop.unlink(missing_ok=True)
