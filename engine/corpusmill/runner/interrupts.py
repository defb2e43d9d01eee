"""Ctrl-C and SIGTERM: the first lets work in flight finish, the second stops now."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from corpusmill.dataset.hashing import hash_json
from corpusmill.errors import Interrupted
from corpusmill.runner.policy import Control


def stop_file(scratch: str, store: str, name: str) -> Path:
    """Return the file that tells workers in long global work to save and return: a pipeline in a store has its own."""
    return Path(scratch) / f"stop-{hash_json([store, name])[:12]}"


def typed_command() -> str | None:
    """Return the `corpusmill run` of this process as it was typed, quoted for a shell; None where none was."""
    return f"corpusmill {shlex.join(sys.argv[1:])}" if sys.argv[1:2] == ["run"] else None


@contextlib.contextmanager
def obey_signals(control: Control, stop: Path) -> Iterator[None]:
    """Handle SIGINT and SIGTERM for the duration of a run; outside the main thread nothing is installed."""
    stop.unlink(missing_ok=True)
    control.resume = typed_command() or control.resume
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, frame: Any) -> None:
        if control.stopping:
            raise KeyboardInterrupt
        control.stopping = True
        # Where the file cannot be made (a full disk), units in flight still end; only long work goes on to its end.
        with contextlib.suppress(OSError):
            stop.touch()
        # Not print: the signal may have come in the middle of a print, and a stream is not entered twice.
        with contextlib.suppress(OSError):
            os.write(2, b"\nstopping: finishing what is in flight; once more to stop now\n")

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
