"""What a step gets of the resources that it asks for, where there is less of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from corpusmill.plan.check import check
from corpusmill.runner.inline import DirectExecutor, InlineExecutor, local_gpus
from corpusmill.runner.journal import read_journal
from corpusmill.runner.placement import place, together
from corpusmill.runner.unit import Unit


class Small(InlineExecutor):
    """A machine of four CPUs, 2 GB and one GPU of a kind."""

    def most(self, resource: str) -> float:
        """What it has."""
        return {"cpus": 4.0, "memory": 2e9, "gpus": 1.0, "accelerator_type:T4": 1.0}.get(resource, 0.0)


@pytest.fixture
def step(mill: Any) -> Any:
    """A checked step that asks for nothing."""
    mill.jsonl("data/a.jsonl", ["text"])
    return check(mill.spec([{"id": "read", "uses": "read.jsonl", "with": {"paths": "data/*.jsonl"}}])).steps[0]


@pytest.mark.parametrize(
    ("asked", "device", "got", "said"),
    [
        ({"cpus": 4, "memory": 2e9}, "cpu", {"cpus": 4, "memory": 2e9}, []),
        ({"cpus": 64}, "cpu", {"cpus": 4}, ["64 CPU asked, 4 CPU there; running with that"]),
        (
            {"memory": 3e9},
            "cpu",
            {"memory": 2e9},
            ["3.0 GB of memory asked, 2.0 GB of memory there; running with that"],
        ),
        ({"gpus": 1, "accelerator": "T4"}, "cuda", {"gpus": 1, "accelerator": "T4"}, []),
        (
            {"gpus": 1, "accelerator": "H100"},
            "cuda",
            {"gpus": 1},
            ["accelerator H100 asked, none there; running without"],
        ),
        ({"gpus": 2}, "cpu", {"gpus": 0}, ["2 GPU asked, 1 there; running on CPU"]),
        ({"workers": 4}, "cpu", {"workers": 4}, ["4 workers asked; it trains in one process"]),
    ],
)
def test_what_is_not_there_is_said(step: Any, asked: Any, device: str, got: Any, said: list[str]) -> None:
    """A step never waits for more than a machine can ever give."""
    placement = place(replace(step, resources=asked), Small({}))
    assert (placement.device, placement.resources) == (device, got)
    assert placement.notices == tuple(f"read: {notice}" for notice in said)


def test_steps_of_one_worker_take_turns() -> None:
    """A pass asks for the most that any of its steps asks for, not for the sum."""
    steps = [{"cpus": 2}, {"cpus": 1, "memory": 5}, {}, {"gpus": 1, "memory": 3, "accelerator": "T4"}]
    assert together(steps) == {"cpus": 2, "memory": 5, "gpus": 1, "accelerator": "T4"}
    assert together([]) == {}


@pytest.mark.parametrize(
    ("visible", "count"), [(None, 2), ("", 0), ("-1", 0), ("1", 1), ("0, 1,2", 2), ("0,-1,1", 1), ("GPU-5f,GPU-6a", 2)]
)
def test_hidden_gpus_do_not_count(
    visible: str | None, count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `CUDA_VISIBLE_DEVICES` hides from CUDA is not there for a step either."""
    for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm", "null"):
        (tmp_path / name).touch()
    if visible is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert local_gpus(tmp_path) == count


@pytest.mark.skipif(local_gpus() > 0, reason="there is a GPU here")
def test_a_gpu_that_is_not_there_is_said_once(mill: Any) -> None:
    """A run on a machine without GPUs goes on with the CPU, gives the same, and says so as the stage begins."""
    mill.jsonl("data/a.jsonl", ["text"])
    steps: list[dict[str, Any]] = [
        {"id": "read", "uses": "read.jsonl", "with": {"paths": "data/*.jsonl"}},
        {"id": "number", "uses": "annotate.random"},
    ]
    plain = mill.run(steps, store=str(mill.root / "plain")).outputs["outputs"]["number"]["digest"]
    steps[1]["resources"] = {"gpus": 1}
    result = mill.run(steps)
    assert result.notices == ["number: 1 GPU asked, none there; running on CPU"]
    (started,) = [one.data for one in read_journal(result.folder / "journal.jsonl") if one.event == "stage_started"]
    assert started["notices"] == result.notices
    assert mill.run(steps).notices == []
    assert result.outputs["outputs"]["number"]["digest"] == plain


def test_units_of_every_stage_ask_for_what_their_step_asks(mill: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory that a deduplication or an export needs reaches the executor as that of a pass does."""
    seen: dict[str, set[Any]] = {}
    submit = DirectExecutor.submit

    def noting(executor: DirectExecutor, unit: Unit) -> None:
        seen.setdefault(unit.kind, set()).add(unit.resources.get("memory"))
        submit(executor, unit)

    monkeypatch.setattr(DirectExecutor, "submit", noting)
    mill.jsonl("data/a.jsonl", mill.texts(20))
    steps = [
        {"id": "read", "uses": "read.jsonl", "with": {"paths": "data/*.jsonl"}, "resources": {"memory": 10}},
        {"id": "exact", "uses": "dedup.exact", "resources": {"memory": 20}},
        {"id": "out", "uses": "write.jsonl", "with": {"path": str(mill.root / "out")}, "resources": {"memory": 30}},
    ]
    mill.run(steps)
    asked = {kind: amounts for kind, amounts in seen.items() if kind in ("pass", "sketch", "join", "select", "write")}
    assert asked == {"pass": {10}, "sketch": {20}, "join": {20}, "select": {20}, "write": {30}}
