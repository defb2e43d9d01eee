"""The inline executor: the driver and one forked worker, so that a crash or a hang cannot take the driver along."""

from __future__ import annotations

import contextlib
import faulthandler
import itertools
import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Mapping
from math import inf
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from corpusmill.runner.deadline import how_it_ended
from corpusmill.runner.fresh_worker import FreshWorker, start_fresh_worker
from corpusmill.runner.parentage import die_with
from corpusmill.runner.unit import Died, Done, Failed, Outcome, Unit
from corpusmill.runner.worker import run_in_worker, run_unit


class InlineExecutor:
    """One unit at a time in a worker process, forked from the driver: imports and kernels stay warm in it.

    `fork=False` starts the worker afresh, for a driver that has threads (a notebook, a script that used torch).
    """

    name = "inline"
    workers = 1
    in_flight = 2

    def most(self, resource: str) -> float:
        """Return how many GPUs this machine has, as the driver's kernel module shows them; all else is not counted."""
        return local_gpus() if resource == "gpus" else inf

    def __init__(self, settings: Mapping[str, Any], *, fork: bool = True):
        self._settings, self._fork = settings, fork
        self._queue: deque[Unit] = deque()
        self._running: Unit | None = None
        self._process: multiprocessing.process.BaseProcess | FreshWorker | None = None
        self._pipe: Connection | None = None

    def submit(self, unit: Unit) -> None:
        """Queue a unit; it starts when the worker is free."""
        self._queue.append(unit)
        self._start_next()

    def next(self, timeout: float) -> tuple[Unit, Outcome] | None:
        """Wait for the running unit to end, or for its worker to die."""
        if self._running is None or self._process is None or self._pipe is None:
            return None
        # A fresh worker's end shows on the pipe alone: nobody else holds the other end of it.
        ends = [] if isinstance(self._process, FreshWorker) else [self._process.sentinel]
        ready = wait([self._pipe, *ends], timeout)
        if not ready:
            return None
        unit, outcome = self._running, self._receive()
        self._running = None
        self._start_next()
        return unit, outcome

    def pools(self, recipes: Mapping[int, Any], resources: Mapping[int, Any]) -> None:
        """The worker calls models itself."""
        return

    def release(self, pools: Any) -> None:
        """Nothing to release."""

    def cancel(self) -> None:
        """Kill the worker."""
        self._queue.clear()
        if self._process is not None:
            self._process.kill()
            self._process.join()
        self._running = None
        self._forget_worker()

    def close(self) -> None:
        """Let the worker end by itself; it does when its pipe closes."""
        if self._pipe is not None:
            self._pipe.close()
        if self._process is not None:
            self._process.join(5)
            if self._process.is_alive():
                self._process.kill()
                self._process.join()
        self._forget_worker()

    def _start_next(self) -> None:
        if self._running is not None or not self._queue:
            return
        self._running = self._queue.popleft()
        try:
            self._worker_pipe().send(_message(self._running))
        except (BrokenPipeError, ConnectionResetError):
            # The worker died between two units: nothing of this one had started.
            self._forget_worker()
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # dead again: `next` finds out
                self._worker_pipe().send(_message(self._running))

    def _receive(self) -> Outcome:
        assert self._pipe is not None and self._process is not None
        try:
            if self._pipe.poll():
                outcome: Outcome = self._pipe.recv()
                if isinstance(outcome, Done) and outcome.weary:
                    self.close()
                return outcome
        except (EOFError, OSError):
            pass  # it died before it answered, or in the middle of its answer
        except Exception as error:
            return Failed(RuntimeError(f"a worker's answer cannot be read: {type(error).__name__}: {error}"))
        self._process.join()
        code = self._process.exitcode or 0
        self._forget_worker()
        return Died(how_it_ended(code))

    def _worker_pipe(self) -> Connection:
        if self._pipe is None and not (self._fork and can_fork()):
            self._process, self._pipe = start_fresh_worker(self._settings)
        elif self._pipe is None:
            # A traceback timer of the driver (pytest's, say) would leave the child a lock that nobody ever opens.
            faulthandler.cancel_dump_traceback_later()
            context = multiprocessing.get_context("fork")
            self._pipe, theirs = context.Pipe()
            process = context.Process(target=_forked, args=(theirs, self._pipe, self._settings, os.getpid()))
            process.start()
            self._process = process
            theirs.close()
        return self._pipe

    def _forget_worker(self) -> None:
        if self._pipe is not None:
            self._pipe.close()
        self._pipe, self._process = None, None


class DirectExecutor:
    """Runs units in the driver itself (`--debug`): breakpoints work, and a crash is the driver's."""

    name = "debug"
    workers = 1
    in_flight = 1

    def __init__(self, settings: Mapping[str, Any]):
        self._settings = settings
        self._queue: deque[Unit] = deque()

    def submit(self, unit: Unit) -> None:
        """Queue a unit."""
        self._queue.append(unit)

    def next(self, timeout: float) -> tuple[Unit, Outcome] | None:
        """Run the oldest unit now."""
        if not self._queue:
            return None
        unit = self._queue.popleft()
        # No deadline: a breakpoint may take its time, and a crash would be the driver's.
        payload = {**unit.payload, "deadline": None, "deadlines": [None] * len(unit.payload.get("deadlines", ()))}
        with contextlib.redirect_stdout(sys.stderr):
            return unit, run_unit(unit.kind, unit.key, payload, self._settings, unit.handles)

    def most(self, resource: str) -> float:
        """Return how many GPUs this machine has; all else is not counted."""
        return local_gpus() if resource == "gpus" else inf

    def pools(self, recipes: Mapping[int, Any], resources: Mapping[int, Any]) -> None:
        """Models are called in place."""
        return

    def release(self, pools: Any) -> None:
        """Nothing to release."""

    def cancel(self) -> None:
        """Forget what is queued."""
        self._queue.clear()

    def close(self) -> None:
        """Nothing to close."""


def local_gpus(devices: Path = Path("/dev")) -> float:
    """Count the NVIDIA devices that this process may see, without loading a library that would claim one.

    `CUDA_VISIBLE_DEVICES` hides devices, as it does from CUDA: nothing that stands behind a number below zero counts.
    """
    there = len(list(devices.glob("nvidia[0-9]*")))
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return float(there)
    shown = itertools.takewhile(lambda one: one and not one.startswith("-"), map(str.strip, visible.split(",")))
    return float(min(there, len(list(shown))))


def _message(unit: Unit) -> tuple[Any, ...]:
    return unit.kind, unit.key, unit.payload, unit.handles


def can_fork() -> bool:
    """Say whether this process can be forked: torch or the client of an object store may have started threads.

    A fork takes one thread along and waits for the others for ever.
    """
    return not {"torch", "obstore"} & sys.modules.keys()


def _forked(pipe: Connection, drivers_end: Connection, settings: Mapping[str, Any], driver: int) -> None:
    drivers_end.close()
    serve(pipe, settings, driver)


def serve(pipe: Connection, settings: Mapping[str, Any], driver: int) -> None:
    """Answer units until the driver closes its end or dies."""
    die_with(driver)
    # A Ctrl-C reaches the whole process group, a SIGTERM may; only the driver decides what they mean.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _speak_on_stderr()
    while True:
        try:
            kind, key, payload, handles = pipe.recv()
        except EOFError:
            return
        outcome = run_in_worker(kind, key, payload, settings, handles)
        try:
            pipe.send(outcome)
        except Exception:
            # An error that cannot cross the pipe is replaced by one that says the same.
            error = getattr(outcome, "error", outcome)
            pipe.send(Failed(RuntimeError(f"{type(error).__name__}: {error}")))
        if isinstance(outcome, Done) and outcome.weary:
            os._exit(0)  # now: threads that an operator left running would be waited for


def _speak_on_stderr() -> None:
    """What operators print goes to stderr: stdout belongs to the command's own answer.

    The streams are new ones: a thread of the driver may have held the old ones' locks at the fork.
    """
    os.dup2(2, 1)
    sys.stdout = os.fdopen(1, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)
