"""A worker in a process of its own interpreter, for drivers whose threads would not survive a fork."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Mapping
from multiprocessing.connection import Connection
from typing import Any


class FreshWorker:
    """A worker process as the inline executor sees it: what `multiprocessing.Process` offers of an ended child."""

    def __init__(self, process: subprocess.Popen[bytes]):
        self._process = process

    @property
    def exitcode(self) -> int | None:
        """Its exit code, negative for a signal; None while it lives."""
        return self._process.poll()

    def is_alive(self) -> bool:
        """Say whether it lives."""
        return self._process.poll() is None

    def kill(self) -> None:
        """End it now."""
        self._process.kill()

    def join(self, timeout: float | None = None) -> None:
        """Wait until it ends, at most so many seconds."""
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return


def start_fresh_worker(settings: Mapping[str, Any]) -> tuple[FreshWorker, Connection]:
    """Start a worker and return it with the driver's end of the pipe, which shows its end, too.

    A fork takes only one thread along: OpenMP and the thread pools of torch wait for the others for ever. The worker
    imports from where the driver does, but not from the current folder.
    """
    mine, theirs = multiprocessing.Pipe()
    # -P: the folder the run was started in is no place to import from.
    command = [sys.executable, "-P", "-m", "corpusmill.runner.fresh_worker", str(theirs.fileno()), str(os.getpid())]
    paths = os.pathsep.join(path for path in sys.path if path)
    process = subprocess.Popen(
        command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": paths}
    )
    theirs.close()
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # its death shows when it is given work
        mine.send(dict(settings))
    return FreshWorker(process), mine


def main() -> None:
    """Serve the driver whose pipe and process id are the arguments."""
    from corpusmill.runner.inline import serve

    pipe = Connection(int(sys.argv[1]))
    try:
        settings = pipe.recv()
    except EOFError:
        return  # the driver ended before it said anything
    serve(pipe, settings, int(sys.argv[2]))


if __name__ == "__main__":
    main()
