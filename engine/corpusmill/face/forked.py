"""A call in a forked child of the command: its answer comes back, and so does how it died, with its last words."""

from __future__ import annotations

import faulthandler
import mmap
import os
import re
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import IO, Any, TypeVar

from corpusmill.errors import CorpusmillError
from corpusmill.runner.inline import can_fork
from corpusmill.runner.parentage import die_with

Value = TypeVar("Value")
_ROOM = 1 << 16
_LENGTH = 8
_FRAME = re.compile(r'^  File "(.+)", line (\d+) in ', re.MULTILINE)


class LastWords:
    """What a child says of what it does next, in memory that its parent shares: no death loses it."""

    def __init__(self) -> None:
        self._map = mmap.mmap(-1, _ROOM)

    def say(self, words: str) -> None:
        """Replace the words; what is too long loses its end."""
        data = words.encode("utf-8", "replace")[: _ROOM - _LENGTH]
        self._map[:_LENGTH] = len(data).to_bytes(_LENGTH, "little")
        self._map[_LENGTH : _LENGTH + len(data)] = data

    def heard(self) -> str:
        """Return the last words; empty where nothing was said."""
        size = int.from_bytes(self._map[:_LENGTH], "little")
        return self._map[_LENGTH : _LENGTH + size].decode("utf-8", "replace")


@dataclass(frozen=True)
class Death:
    """How a child ended without an answer: `crashed (signal 11)`, `exited with code 3`; its last words.

    `frames`: (file, line) of its main thread when it crashed, the innermost first; empty where nothing told.
    """

    how: str
    words: str
    frames: tuple[tuple[str, int], ...] = ()


def in_child(call: Callable[[LastWords], Value]) -> Value | Death:
    """Return what the call returns in a forked child, or how the child died; raises what the call raises there.

    The child has the terminal: breakpoints work, what is printed shows, and a Ctrl-C is its own. What it leaves in the
    temporary folder goes with it. In a process that may have threads the call is made in the process itself.
    """
    words = LastWords()
    if not can_fork():
        return call(words)
    ours, theirs = Pipe(duplex=False)
    flush()
    with tempfile.TemporaryDirectory(prefix="corpusmill-") as folder, tempfile.TemporaryFile() as trace:
        # A traceback timer of this process (pytest's, say) would leave the child a lock that nobody ever opens.
        faulthandler.cancel_dump_traceback_later()
        parent, child = os.getpid(), os.fork()
        if child == 0:
            ours.close()
            _serve(call, words, theirs, folder, trace, parent)
        theirs.close()
        answer, status = _wait(child, ours)
        if answer is None:
            trace.seek(0)
            return Death(_how(status), words.heard(), _frames(trace.read().decode("utf-8", "replace")))
    value, error = answer
    if error is not None:
        raise error
    found: Value = value
    return found


def flush() -> None:
    """Write what waits in the standard streams."""
    sys.stdout.flush()
    sys.stderr.flush()


def _serve(
    call: Callable[[LastWords], Any],
    words: LastWords,
    pipe: Connection,
    folder: str,
    trace: IO[bytes],
    parent: int,
) -> None:
    """Make the call, answer, and end at once: what the parent would do at its own exit is not the child's to do."""
    try:
        die_with(parent)
        tempfile.tempdir = folder
        faulthandler.enable(trace, all_threads=False)
        answer: tuple[Any, BaseException | None]
        try:
            answer = (call(words), None)
        except (CorpusmillError, KeyboardInterrupt, SystemExit) as error:
            answer = (None, error)
        except BaseException:  # noqa: BLE001 - of a class that the parent may not know
            answer = (None, RuntimeError(traceback.format_exc()))
        flush()
        pipe.send(answer)
    finally:
        os._exit(0)


def _wait(child: int, pipe: Connection) -> tuple[tuple[Any, BaseException | None] | None, int]:
    """Return a child's answer, None where it died before it gave one, and its exit code (below zero: a signal)."""
    interrupts = signal.signal(signal.SIGINT, signal.SIG_IGN)  # the child hears it as well, and knows what to do
    try:
        answer = _received(pipe)
        return answer, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    finally:
        signal.signal(signal.SIGINT, interrupts)
        pipe.close()


def _received(pipe: Connection) -> tuple[Any, BaseException | None] | None:
    """Return value and error of a child, or None for one that died before it had answered."""
    try:
        answer: tuple[Any, BaseException | None] = pipe.recv()
    except (EOFError, OSError):
        return None
    return answer


def _how(status: int) -> str:
    if status >= 0:
        return f"exited with code {status}"
    return f"was killed (signal {-status})" if -status == signal.SIGKILL else f"crashed (signal {-status})"


def _frames(trace: str) -> tuple[tuple[str, int], ...]:
    return tuple((file, int(line)) for file, line in _FRAME.findall(trace))
