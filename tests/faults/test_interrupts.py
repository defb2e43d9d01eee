"""Ctrl-C and SIGTERM: the first lets units in flight finish, the second stops now; a rerun mends all."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="module")
def calm(new_pit: Callable[[], Any]) -> dict[str, str]:
    """The tree of a run that nobody disturbed."""
    pit = new_pit()
    pit.documents()
    pit.run([pit.read(), pit.faulty()], debug=True)
    tree: dict[str, str] = pit.tree()
    return tree


def started(pit: Any, until: Any, *arguments: str) -> tuple[Any, Path, Path]:
    """Start a run and wait until its worker is inside an operator, where it stays until `go` is touched."""
    pit.documents()
    signals = pit.root / "signals"
    signals.mkdir()
    spec = pit.spec([pit.read(), pit.faulty(signals=str(signals))], limits={"deadline": None})
    process = pit.start(spec, *arguments)
    until(lambda: list(signals.glob("worker-*")) or process.poll() is not None, "a worker inside the operator")
    assert process.poll() is None, process.communicate()
    return process, spec, signals


def to_group(pid: int, number: int) -> None:
    os.killpg(pid, number)


@pytest.mark.parametrize(
    ("number", "send"), [(signal.SIGINT, to_group), (signal.SIGINT, os.kill), (signal.SIGTERM, to_group)]
)
def test_the_first_signal_finishes_what_is_in_flight(
    pit: Any, until: Any, calm: dict[str, str], number: int, send: Any
) -> None:
    """Exit 130 with the command that resumes, on record as interrupted; the unit in flight is committed."""
    process, spec, signals = started(pit, until)
    send(process.pid, number)
    until(lambda: list(pit.store.glob("tmp/stop-*")), "the request to stop")
    (signals / "go").touch()
    _, err = process.communicate(timeout=90)
    assert process.returncode == 130
    assert f"corpusmill run {spec}" in err
    assert "Traceback" not in err
    assert pit.outputs()["status"] == "interrupted"
    (report,) = pit.store.glob("runs/*/*/report.html")
    assert '<span class="status ended">interrupted</span>' in report.read_text()
    assert 1 <= len(list(pit.store.glob("commits/*/*.json"))) <= 2  # units in flight, of three
    assert not (pit.store / "datasets").exists()
    assert pit.call(spec).returncode == 0
    assert pit.tree() == calm


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_second_signal_stops_now(pit: Any, until: Any, processes: Any, calm: dict[str, str], number: int) -> None:
    """A worker that would never end is ended; nothing is committed, nobody is left, and the next run does it all."""
    process, spec, signals = started(pit, until)
    family = processes.descendants(process.pid)
    os.kill(process.pid, number)
    until(lambda: list(pit.store.glob("tmp/stop-*")), "the request to stop")
    os.kill(process.pid, number)
    _, err = process.communicate(timeout=90)
    assert process.returncode == 130, err
    assert f"corpusmill run {spec}" in err
    assert "Traceback" not in err
    assert family
    assert not [pid for pid in family if processes.alive(pid)]
    assert not (pit.store / "commits").exists()
    assert "Interrupt" not in pit.outputs()["error"]
    (signals / "go").touch()
    assert pit.call(spec).returncode == 0
    assert pit.tree() == calm
