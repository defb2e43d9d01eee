"""Deadlines: the system ends a process that passes one, whatever it is at, and no other."""

from __future__ import annotations

import faulthandler
import os
import re
import resource
import signal
from collections.abc import Callable
from functools import partial

import pytest

from corpusmill.runner import deadline
from corpusmill.runner.deadline import how_it_ended, start_deadline, stop_deadline

CATASTROPHE = "a" * 64 + "b"
NUMBER = signal.SIGRTMAX - 5


def ended(block: Callable[[], object]) -> str:
    """Run a block in a child; return in words how that ended."""
    faulthandler.cancel_dump_traceback_later()  # of pytest: a child would wait for the lock of its thread
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_CPU, (20, 20))  # of a deadline that never comes a test fails, and goes on
        try:
            block()
        finally:
            os._exit(7)
    return how_it_ended(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def hang() -> None:
    """Hold the interpreter in a loop of C until somebody ends this process."""
    re.match(r"(a+)+$", CATASTROPHE)


def test_a_loop_of_c_that_holds_the_interpreter_is_ended_in_time() -> None:
    """The end has a signal of its own, so that it is told from other ends."""

    def late() -> None:
        with deadline.deadline(0.05):
            hang()

    assert ended(late) == "passed its deadline"


def test_where_the_system_has_no_timers_a_thread_keeps_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such an end is an exit code."""
    monkeypatch.setattr(deadline, "_signal", lambda: None)

    def late() -> None:
        start_deadline(0.05)
        hang()

    assert ended(late) == "exited with code 1"


@pytest.mark.parametrize(
    "after",
    [pytest.param(stop_deadline, id="stopped"), pytest.param(partial(start_deadline, 60), id="replaced by a long one")],
)
def test_a_deadline_that_no_longer_holds_ends_nothing(after: Callable[[], None]) -> None:
    """Its signal does not come."""

    def in_time() -> None:
        start_deadline(0.02)
        after()
        assert signal.sigtimedwait([NUMBER], 0.06) is None
        os._exit(3)

    assert ended(in_time) == "exited with code 3"


def test_a_signal_that_whoever_started_this_process_had_blocked_comes_all_the_same() -> None:
    """A mask is inherited."""

    def late() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, range(1, NUMBER + 1))
        start_deadline(0.05)
        hang()

    assert ended(late) == "passed its deadline"


def test_a_forked_child_keeps_deadlines_of_its_own() -> None:
    """Its parent's timer is not its: setting it would set nobody's."""
    with deadline.deadline(60):
        assert ended(lambda: (start_deadline(0.05), hang())) == "passed its deadline"


@pytest.mark.parametrize("seconds", [1e-9, 0.0])
def test_no_time_at_all_is_a_deadline_too(seconds: float) -> None:
    """It is not taken for none."""
    assert ended(lambda: (start_deadline(seconds), hang())) == "passed its deadline"
