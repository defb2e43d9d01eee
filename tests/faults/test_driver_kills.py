"""The driver killed at any moment: what is published stays whole, nobody lives on, a rerun mends all."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from typing import Any

import pytest

from corpusmill.dataset.manifest import Dataset
from corpusmill.dataset.store import Store


def steps(pit: Any) -> list[dict[str, Any]]:
    """A filter, both kinds of deduplication's stages, a split."""
    pit.documents(rows=200)
    return [
        pit.read(),
        pit.faulty(most=180),
        {"id": "exact", "uses": "dedup.exact"},
        {"id": "split", "uses": "split.by-hash", "with": {"train": 0.5, "test": 0.5}},
    ]


def expect_whole(pit: Any) -> int:
    """Read every dataset that has a manifest to its end, checksums verified; return how many there are."""
    store, found = Store(str(pit.store)), 0
    for path in pit.store.glob("datasets/*/manifest.json"):
        dataset = Dataset.open(store, path.parent.name)
        assert sum(batch.num_rows for batch in dataset.batches()) == dataset.rows
        found += 1
    return found


def moments(seed: int, count: int, span: float) -> Iterator[float]:
    """Yield moments spread over a run, each at random in its own slice."""
    draw = random.Random(seed)
    yield from ((slot + draw.random()) * span / count for slot in range(count))


@pytest.mark.parametrize("kills", [8, pytest.param(60, marks=pytest.mark.soak)])
def test_a_driver_killed_at_random(pit: Any, until: Any, processes: Any, kills: int) -> None:
    """Kill it over and over, each time somewhere else; then run once more: the tree of a run that lived."""
    how: dict[str, Any] = {"run": {"batch_bytes": 512}, "limits": {"deadline": None}}
    spec = pit.spec(steps(pit), **how)
    began = time.monotonic()
    pit.run(steps(pit), store="calm", **how)
    span = time.monotonic() - began
    for moment in moments(kills, kills, span):
        before = set(pit.store.glob("runs/pit/*/journal.jsonl"))
        process = pit.start(spec)
        until(lambda b=before: set(pit.store.glob("runs/pit/*/journal.jsonl")) - b, "the run's journal")
        time.sleep(moment)  # not waiting for anything: this is the random moment
        family = processes.descendants(process.pid)
        processes.kill(process.pid)
        process.communicate(timeout=90)
        until(lambda f=family: not [pid for pid in f if processes.alive(pid)], "the end of the dead driver's workers")
        expect_whole(pit)
    result = pit.call(spec)
    assert result.returncode == 0, result.stderr
    assert pit.tree() == pit.tree("calm")
    assert expect_whole(pit) >= 2


def test_a_killed_driver_takes_worker_template_and_child_along(pit: Any, until: Any, processes: Any) -> None:
    """In the middle of isolating a document that hangs, with no deadline to end it, a dead driver leaves nobody."""
    pit.documents(poison=[(0, 3)], word="POISON")
    spec = pit.spec([pit.read(), pit.faulty("hang")], limits={"deadline": None})
    process = pit.start(spec)
    (worker,) = until(lambda: processes.children(process.pid), "the worker")
    until(
        lambda: any(b"operator" in one.read_bytes() for one in pit.store.glob("tmp/crumbs/[!.]*")), "an operator call"
    )
    processes.kill(worker)
    family = until(lambda: len(found := processes.descendants(process.pid)) >= 3 and found, "worker, template, child")
    processes.kill(process.pid)
    process.communicate(timeout=90)
    until(lambda: not [pid for pid in family if processes.alive(pid)], "the end of all three")
