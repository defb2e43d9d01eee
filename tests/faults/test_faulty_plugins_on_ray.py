"""Faulty plugins on Ray: what they do there is what they do inline, told in the same words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from corpusmill.errors import OperatorError

pytestmark = pytest.mark.xdist_group("ray")
POISON = [(0, 3), (2, 17)]
SOAK = pytest.mark.soak


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """A local cluster of two workers that runs find and leave running."""
    import ray

    from corpusmill.runner import ray_executor

    ray_executor.connect(None, 2)
    yield
    ray.shutdown()


def events(pit: Any, name: str) -> list[dict[str, Any]]:
    """Return what the journals of the store's runs say about an event."""
    lines = [line for path in pit.store.glob("runs/*/*/journal.jsonl") for line in path.open()]
    return [json.loads(line)["data"] for line in lines if json.loads(line)["event"] == name]


@pytest.mark.parametrize("action", ["kill", *(pytest.param(one, marks=SOAK) for one in ("regex", "raise", "exit0"))])
def test_the_same_documents_for_the_same_reasons(pit: Any, cluster: None, action: str) -> None:
    """Raising, exiting, a catastrophic regex, a SIGKILL to itself: the store is that of the inline executor."""
    pit.documents(poison=POISON, word="POISON")
    limits = {"deadline": 1}
    pit.run([pit.read(), pit.faulty(action)], store="inline", limits=limits)
    outputs = pit.run([pit.read(), pit.faulty(action)], executor="ray", limits=limits).outputs
    assert outputs["executor"] == "ray"
    assert len(pit.quarantine(outputs)) == 2
    assert pit.tree() == pit.tree("inline")


@SOAK
@pytest.mark.parametrize("uses", ["dedup.same", "dedup.tails"])
def test_documents_that_cannot_be_sketched(pit: Any, cluster: None, uses: str) -> None:
    """Excluded as a filter's are: the store is that of the inline executor."""
    pit.documents(poison=POISON, word="POISON")
    steps = [pit.read(), {"id": "near", "uses": uses, "with": {"action": "segfault"}}]
    pit.run(steps, store="inline")
    outputs = pit.run(steps, executor="ray").outputs
    assert outputs["counts"]["near"]["quarantined"] == {"crashed (signal 11)": 2}
    assert pit.tree() == pit.tree("inline")


def test_neighbours_find_everything_as_it_was(pit: Any, cluster: None) -> None:
    """Folder, locale, seeds, signals, environment of a Ray worker, whatever the plugin before did to them."""
    pit.documents(files=1, poison=[(0, row) for row in range(40)], word="POISON")
    steps = [pit.read(), pit.faulty("bewitch"), {"id": "look", "uses": "annotate.witness"}]
    outputs = pit.run(steps, executor="ray", run={"batch_bytes": 512}).outputs
    assert {row["seen"] for row in pit.rows(outputs, "look")} == {""}


@pytest.mark.parametrize("limit", ["1 B", pytest.param("1 TB", marks=SOAK)])
def test_a_worker_past_its_memory_is_replaced_between_units(pit: Any, cluster: None, limit: str) -> None:
    """Past the limit no worker does two shards; nothing dies on the way, and the store is that of a calm run."""
    pit.documents(files=6)
    pit.run([pit.read(), pit.faulty()], store="calm", debug=True)
    signals = pit.root / "signals"
    signals.mkdir()
    (signals / "go").touch()
    steps = [pit.read(), pit.faulty(signals=str(signals))]
    pit.run(steps, executor="ray", run={"worker_memory": limit})
    at_work = len(list(signals.glob("worker-*")))
    assert at_work == 6 if limit == "1 B" else at_work < 6
    assert bool(events(pit, "worker_replaced")) == (limit == "1 B")
    assert events(pit, "worker_died") == []
    assert pit.tree() == pit.tree("calm")


def test_an_actor_that_leaks_is_replaced(pit: Any, cluster: None) -> None:
    """Its model's batches are answered by the next one; the store is that of the inline executor."""
    pit.documents(files=1, rows=300)
    signals = pit.root / "signals"
    signals.mkdir()
    (signals / "go").touch()
    judge = {"id": "judge", "uses": "annotate.score", "needs": {"documents": "read", "model": "model"}}
    steps = [pit.read(), {"id": "model", "uses": "load.tiny"}, judge]
    pit.run(steps, store="calm", debug=True)
    judge["with"] = {"signals": str(signals), "leak": 50 << 20}
    outputs = pit.run(steps, executor="ray", run={"worker_memory": "80 MB"}).outputs
    assert len(list(signals.glob("worker-*"))) > 1
    assert outputs["quarantine"] == 0
    assert pit.tree() == pit.tree("calm")


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ({"uses": "clean.upper", "with": {"breach": "rows"}}, "39 rows for a batch of 40"),
        ({"uses": "filter.faulty", "with": {"action": "raise"}}, "failed on 120 of 120 documents"),
    ],
)
def test_a_broken_operator_is_named(pit: Any, cluster: None, step: dict[str, Any], words: str) -> None:
    """Step, plugin, shard and attempt stand in the error, and the run stops at once."""
    pit.documents(poison=[(file, row) for file in range(3) for row in range(40)], word="POISON")
    with pytest.raises(OperatorError) as caught:
        pit.run([pit.read(), {"id": "broken", **step}], executor="ray", workers=1)
    assert words in caught.value.what
    assert f"step broken ({step['uses']})" in caught.value.where
    assert "shard '" in caught.value.where
    assert caught.value.where.endswith("attempt 1")
