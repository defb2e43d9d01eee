"""Processes killed from outside cost no document and change no byte."""

from __future__ import annotations

import os
import random
import threading
from pathlib import Path
from typing import Any

import pytest

from corpusmill.errors import ExecutorError
from corpusmill.runner.breadcrumb import read_crumb


def calm_tree(pit: Any, steps: list[dict[str, Any]]) -> dict[str, str]:
    pit.run(steps, store="calm", debug=True)
    tree: dict[str, str] = pit.tree("calm")
    return tree


def marks(signals: Path) -> set[int]:
    """Return the pids of all processes that said they are inside the operator."""
    return {int(path.name.removeprefix("worker-")) for path in signals.glob("worker-*")}


@pytest.mark.parametrize(
    "victims", [["worker"], ["worker", "child", "child", "child"], ["worker", "template", "template"]]
)
def test_kills_at_chosen_moments(pit: Any, until: Any, processes: Any, victims: list[str]) -> None:
    """The worker inside the operator, then the child that tries its batch, or its template: nobody is blamed."""
    pit.documents(files=1)
    expected = calm_tree(pit, [pit.read(), pit.faulty()])
    signals = pit.root / "signals"
    signals.mkdir()
    hit = []

    def killer(ended: threading.Event) -> None:
        known: set[int] = set()
        for victim in victims:
            new = until(lambda known=known: marks(signals) - known, f"a {victim} inside the operator")
            known |= new
            (announced,) = new
            parent = int(Path(f"/proc/{announced}/stat").read_text().rpartition(")")[2].split()[1])
            assert parent != os.getpid() or victim == "worker"
            hit.append(processes.kill(parent if victim == "template" else announced))
        until(lambda: marks(signals) - known, "another go")
        (signals / "go").touch()

    with processes.in_background(killer):
        steps = [pit.read(), pit.faulty(signals=str(signals))]
        outputs = pit.run(steps, limits={"deadline": None}).outputs
    assert hit == [True] * len(victims)
    assert outputs["quarantine"] == 0
    assert pit.tree() == expected


@pytest.mark.parametrize("phase", ["read", "operator", "commit"])
def test_kills_in_each_phase(pit: Any, processes: Any, phase: str) -> None:
    """A worker killed when its breadcrumb says `read`, `operator` or `commit`: same bytes, nothing excluded."""
    pit.documents(rows=400)
    steps = [pit.read(), pit.faulty(), {"id": "clean", "uses": "clean.upper"}]
    expected = calm_tree(pit, steps)
    killed = []

    def killer(ended: threading.Event) -> None:
        while not ended.is_set() and len(killed) < 2:
            for path in (pit.store / "tmp/crumbs").glob("[!.]*"):
                crumb = read_crumb(path)
                workers = processes.children(os.getpid())
                if crumb is not None and crumb.phase == phase and workers and processes.kill(workers[0]):
                    killed.append(crumb)
                    while not ended.is_set() and processes.alive(workers[0]):
                        pass
                    break

    with processes.in_background(killer):
        outputs = pit.run(steps, run={"batch_bytes": 512}).outputs
    assert killed, f"no worker was met in the phase {phase}"
    assert outputs["quarantine"] == 0
    assert pit.tree() == expected


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.soak), pytest.param(3, marks=pytest.mark.soak)])
def test_kills_at_random(pit: Any, processes: Any, seed: int) -> None:
    """Workers, templates and children killed at random, run after run: no exclusion, the bytes of a calm run."""
    pit.documents(rows=400)
    steps = [pit.read(), pit.faulty(), {"id": "exact", "uses": "dedup.exact"}]
    expected = calm_tree(pit, steps)
    draw = random.Random(seed)
    killed = []

    def killer(ended: threading.Event) -> None:
        while not ended.wait(draw.uniform(0, 0.15)) and len(killed) < 12:
            victims = processes.descendants(os.getpid())
            if victims and processes.kill(draw.choice(victims)):
                killed.append(1)

    for _ in range(8):
        try:
            with processes.in_background(killer):
                outputs = pit.run(steps, run={"batch_bytes": 512}).outputs
            break
        except ExecutorError:
            continue
    assert killed
    assert outputs["quarantine"] == 0
    assert pit.tree() == expected


def test_too_many_kills_stop_the_run(pit: Any, processes: Any) -> None:
    """A unit whose worker never lives stops the run with what to do, blames no document, and can be resumed."""
    pit.documents()
    steps = [pit.read(), pit.faulty()]
    expected = calm_tree(pit, steps)

    def killer(ended: threading.Event) -> None:
        while not ended.is_set():
            for worker in processes.children(os.getpid()):
                processes.kill(worker)

    with (
        processes.in_background(killer),
        pytest.raises(ExecutorError, match="killed by signal 9 3 times on the same unit") as caught,
    ):
        pit.run(steps)
    assert "check memory" in str(caught.value)
    assert "run the same command" in str(caught.value)
    assert pit.run(steps).outputs["quarantine"] == 0
    assert pit.tree() == expected
