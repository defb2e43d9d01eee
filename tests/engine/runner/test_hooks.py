"""Every life-cycle hook is called with exactly the arguments that docs/hooks.md lists."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from corpusmill import hookimpl
from corpusmill.plan.check import check
from corpusmill.plugin import hookspecs
from corpusmill.plugin.finder import load_registry
from corpusmill.runner.driver import RunOptions, run_spec

DOCUMENT = Path(__file__).parents[3] / "docs/hooks.md"
HOOKS = {name: function for name, function in vars(hookspecs).items() if name.startswith("corpusmill_")}
Calls = dict[str, list[dict[str, Any]]]
SHARDED_ONLY = {"rows", "bytes", "seconds", "running"}


class Recorder:
    """Keeps every call by the hook's name."""

    def __init__(self) -> None:
        self.calls: Calls = {}

    def _keep(self, hook: str, **arguments: Any) -> None:
        self.calls.setdefault(hook, []).append(arguments)

    @hookimpl
    def corpusmill_run_started(self, run: dict[str, Any]) -> None:
        self._keep("corpusmill_run_started", run=run)

    @hookimpl
    def corpusmill_stage_started(self, stage: dict[str, Any]) -> None:
        self._keep("corpusmill_stage_started", stage=stage)

    @hookimpl
    def corpusmill_shards_committed(self, stage: dict[str, Any]) -> None:
        self._keep("corpusmill_shards_committed", stage=stage)

    @hookimpl
    def corpusmill_metrics(self, stage: dict[str, Any], step: int, values: dict[str, float]) -> None:
        self._keep("corpusmill_metrics", stage=stage, step=step, values=values)

    @hookimpl
    def corpusmill_stage_finished(self, stage: dict[str, Any]) -> None:
        self._keep("corpusmill_stage_finished", stage=stage)

    @hookimpl
    def corpusmill_run_finished(self, run: dict[str, Any]) -> None:
        self._keep("corpusmill_run_finished", run=run)


def _sections() -> dict[str, tuple[list[str], set[str]]]:
    """Hook -> its documented arguments and the keys of its mapping."""
    found = {}
    for section in DOCUMENT.read_text(encoding="utf-8").split("\n### ")[1:]:
        heading = re.match(r"`(\w+)\(([\w, ]*)\)`", section)
        assert heading is not None, section.splitlines()[0]
        found[heading[1]] = (heading[2].split(", "), set(re.findall(r"^\| `(\w+)` \|", section, re.M)))
    return found


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Calls:
    """What an observer hears of a run with a pass, and a model that is trained for three steps."""
    folder = tmp_path_factory.mktemp("hooks")
    lines = (
        f'{{"text": "Document {number} tells of bread, wind and water, and of mill {number % 7}."}}\n'
        for number in range(300)
    )
    (folder / "in.jsonl").write_text("".join(lines))
    tiny = {"type": "llama", "layers": 1, "hidden": 16, "heads": 2}
    steps = [
        {"id": "documents", "uses": "read.jsonl", "with": {"paths": str(folder / "in.jsonl")}},
        {"id": "parted", "uses": "split.by-hash", "with": {"train": 0.8, "validation": 0.2}},
        {"id": "vocabulary", "uses": "tokenizer.bpe", "needs": "parted.train", "with": {"size": 280}},
        {
            "id": "tokens",
            "uses": "tokens.pack",
            "needs": {"documents": "parted", "tokenizer": "vocabulary"},
            "with": {"window": 16},
        },
        {
            "id": "model",
            "uses": "train.causal-lm",
            "needs": "tokens",
            "with": {"model": tiny, "steps": 3, "batch_tokens": 64},
        },
    ]
    recorder = Recorder()
    spec = check({"corpusmill": 1, "name": "hooks", "steps": steps})
    run_spec(spec, RunOptions(store=str(folder / "store"), debug=True), [recorder])
    return recorder.calls


def test_register() -> None:
    """`corpusmill_register(registry)` is how the built-ins come to be known."""
    assert "read.jsonl" in load_registry().operators


def test_run_started(calls: Calls) -> None:
    """Once, first of all, with the stages to come."""
    (call,) = calls["corpusmill_run_started"]
    assert set(call["run"]) == _sections()["corpusmill_run_started"][1]
    assert [stage["kind"] for stage in call["run"]["stages"]] == ["pass", "tokenizer", "tokens", "train"]


def test_stage_started(calls: Calls) -> None:
    """Once a stage."""
    told = calls["corpusmill_stage_started"]
    assert [call["stage"]["id"] for call in told] == ["parted", "vocabulary", "tokens", "model"]
    assert all(set(call["stage"]) == _sections()["corpusmill_stage_started"][1] for call in told)


def test_shards_committed(calls: Calls) -> None:
    """With all keys for sharded work, and the first three at least for any."""
    told = [call["stage"] for call in calls["corpusmill_shards_committed"]]
    documented = _sections()["corpusmill_shards_committed"][1]
    assert any(set(stage) == documented for stage in told)
    assert all(set(stage) in (documented, documented - SHARDED_ONLY) for stage in told)


def test_metrics(calls: Calls) -> None:
    """The trainer's loss arrives with its step."""
    told = calls["corpusmill_metrics"]
    assert all(set(call["stage"]) == _sections()["corpusmill_metrics"][1] for call in told)
    assert {call["stage"]["id"] for call in told} == {"model"}
    assert any("loss" in call["values"] for call in told)
    assert all(isinstance(call["step"], int) for call in told)


def test_stage_finished(calls: Calls) -> None:
    """Once a stage, with the counts of its steps."""
    told = calls["corpusmill_stage_finished"]
    assert [call["stage"]["id"] for call in told] == ["parted", "vocabulary", "tokens", "model"]
    assert all(set(call["stage"]) == _sections()["corpusmill_stage_finished"][1] for call in told)
    counts = told[0]["stage"]["counts"]["documents"]
    assert set(counts) == {"uses", "in", "out", "added", "changed", "removed", "quarantined", "seconds"}


def test_run_finished(calls: Calls) -> None:
    """Once, last of all; `error` is there only where the run did not end well."""
    (call,) = calls["corpusmill_run_finished"]
    assert set(call["run"]) == _sections()["corpusmill_run_finished"][1] - {"error"}


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_is_documented_with_its_exact_arguments(name: str) -> None:
    """docs/hooks.md has a section for the hook whose heading is its signature."""
    assert _sections()[name][0] == list(inspect.signature(HOOKS[name]).parameters)


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_has_a_test(name: str) -> None:
    """This file has a test for the hook, so that a new hook cannot come without one."""
    assert callable(globals().get(name.replace("corpusmill_", "test_", 1)))
