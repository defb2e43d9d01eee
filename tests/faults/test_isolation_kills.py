"""Kills from outside while suspects are tried: the child, its template, the worker read, compute and commit."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from corpusmill.errors import ExecutorError
from corpusmill.plugin.local import LocalPlugin
from corpusmill.runner import isolation
from corpusmill.runner.breadcrumb import Breadcrumb, read_crumb
from corpusmill.runner.chunk import Chunk
from corpusmill.runner.isolation import Isolation, Trial

STRUCK = """
import os, signal, sys
from pathlib import Path
from corpusmill.runner import isolated

folder, phase, times = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])

def strike(name):
    struck = len(list(folder.glob("struck-*")))
    if name == phase and struck < times:
        (folder / f"struck-{struck}").touch()
        os.kill(os.getpid(), signal.SIGKILL)

def around(name, before=None, after=None):
    real = getattr(isolated, name)
    def wrapped(*arguments):
        strike(before)
        made = real(*arguments)
        strike(after)
        return made
    setattr(isolated, name, wrapped)

around("_prepare", "template reads", "template has read")
around("_fork", after="template answers")
around("_run_child", "child starts")
around("_call", "child computes", "child has computed")
if phase.startswith("child"):
    isolated.confine = lambda memory: None  # then a SIGKILL looks to the template as one from outside does
isolated.main()
"""
PHASES = [
    "template reads",
    pytest.param("template has read", marks=pytest.mark.soak),
    "template answers",
    "child starts",
    "child computes",
    "child has computed",
]


@pytest.fixture
def isolate(pit: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[int, str]]:
    """Look for the poison among ten documents, with a template that is struck at a phase, so many times."""
    started = subprocess.Popen
    local = LocalPlugin.read("./faulty.py", pit.root)
    plugin = {"name": local.name, "hash": local.hash, "source": local.source.decode("latin-1")}
    settings = {"store": str(pit.store), "scratch": str(pit.root / "scratch"), "plugins": [plugin]}

    def run(phase: str, times: int, poison: list[int], action: str = "none") -> dict[int, str]:
        def start(command: list[str], **streams: Any) -> Any:
            return started([sys.executable, "-P", "-c", STRUCK, str(pit.root), phase, str(times)], **streams)

        monkeypatch.setattr(isolation.subprocess, "Popen", start)
        recipe = {"uses": "filter.faulty", "options": {"action": action}, "column": "text", "step": "judge"}
        texts = ["POISON" if row in poison else f"calm {row}" for row in range(10)]
        batch = pa.record_batch({"id": [str(row) for row in range(10)], "text": pa.array(texts, pa.large_string())})
        trial = Trial(settings)
        try:
            crumb = Breadcrumb(pit.root / "crumb")
            recipes = [{**recipe, "seed": 0, "base": str(pit.root)}]
            return Isolation([[0, 0, 9]], trial, recipes, crumb)(0, Chunk(batch, np.arange(10)))
        finally:
            trial._stop()

    return run


@pytest.mark.parametrize("phase", PHASES)
def test_a_template_or_child_killed_at_any_moment_blames_nobody(isolate: Any, pit: Any, phase: str) -> None:
    """A child seven times in a row on the same question, a template once: nobody is excluded from clean data."""
    times = 7 if phase.startswith("child") else 1
    assert isolate(phase, times, []) == {}
    assert len(list(pit.root.glob("struck-*"))) == times


@pytest.mark.parametrize("phase", [pytest.param("template answers", marks=pytest.mark.soak), "child computes"])
def test_poison_is_found_between_kills(isolate: Any, pit: Any, phase: str) -> None:
    """The document that crashes, and only that one, with the reason it has without kills."""
    assert isolate(phase, 3, [4], "segfault") == {4: "crashed (signal 11)"}
    assert len(list(pit.root.glob("struck-*"))) == 3


@pytest.mark.parametrize("phase", ["read", "operator", "commit"])
def test_a_worker_killed_while_it_isolates(pit: Any, processes: Any, phase: str) -> None:
    """The second worker, which tries the suspects of the first, killed as it reads, computes, commits: same bytes."""
    pit.documents(files=1, rows=300)
    steps = [pit.read(), pit.faulty(), {"id": "clean", "uses": "clean.upper"}]
    pit.run(steps, store="calm", debug=True)
    killed: list[str] = []

    def killer(ended: threading.Event) -> None:
        while not ended.is_set() and len(killed) < 2:
            wanted = phase if killed else "operator"
            for path in (pit.store / "tmp/crumbs").glob("[!.]*"):
                crumb, workers = read_crumb(path), processes.children(os.getpid())
                if crumb is not None and crumb.phase == wanted and workers and processes.kill(workers[0]):
                    killed.append(crumb.phase)
                    while not ended.is_set() and processes.alive(workers[0]):
                        pass
                    break

    with processes.in_background(killer):
        outputs = pit.run(steps, run={"batch_bytes": 512}, limits={"deadline": None}).outputs
    assert killed == ["operator", phase]
    assert pit.quarantine(outputs) == []
    assert pit.tree() == pit.tree("calm")


def test_a_document_that_sends_sigkill_to_itself_is_excluded(pit: Any) -> None:
    """Its own SIGKILL is told from one that comes from outside."""
    pit.documents(files=1, poison=[(0, 3)], word="POISON")
    outputs = pit.run([pit.read(), pit.faulty("kill")]).outputs
    assert outputs["counts"]["judge"]["quarantined"] == {"crashed (signal 9)": 1}


def test_whoever_kills_every_process_stops_the_run_and_nothing_else(pit: Any, processes: Any) -> None:
    """Every worker and every child inside the operator is killed: an error, no exclusion, and the run can go on."""
    pit.documents(files=1)
    pit.run([pit.read(), pit.faulty()], store="calm", debug=True)
    signals = pit.root / "signals"
    signals.mkdir()
    killed: set[int] = set()

    def killer(ended: threading.Event) -> None:
        while not ended.is_set():
            for mark in signals.glob("worker-*"):
                pid = int(mark.name.removeprefix("worker-"))
                if pid not in killed and processes.kill(pid):
                    killed.add(pid)

    steps = [pit.read(), pit.faulty(signals=str(signals))]
    with (
        processes.in_background(killer),
        pytest.raises(ExecutorError, match=r"filter\.faulty was killed 8 times \(signal 9\)") as caught,
    ):
        pit.run(steps, limits={"deadline": None})
    assert len(killed) == 9
    assert "for a SIGKILL no document is excluded" in str(caught.value)
    (signals / "go").touch()
    assert pit.run(steps, limits={"deadline": None}).outputs["quarantine"] == 0
    assert pit.tree() == pit.tree("calm")
