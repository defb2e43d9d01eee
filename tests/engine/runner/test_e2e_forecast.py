"""`plan` before `run`: what is cached, what runs and why, without calling an operator."""

from __future__ import annotations

from typing import Any

import pytest


def steps_of(mill: Any, *, most: int = 900, word: str = "x") -> list[dict[str, Any]]:
    """Two passes, a deduplicator between them, an export."""
    return [
        {"id": "read", "uses": "read.jsonl", "with": {"paths": "data/*.jsonl", "shard": "4 KB"}},
        mill.mark("one"),
        {"id": "exact", "uses": "dedup.exact"},
        {"id": "short", "uses": "filter.short", "with": {"most": most, "log": str(mill.log)}, "keep": True},
        {**mill.mark("two"), "with": {"word": word, "log": str(mill.log)}},
        {"id": "out", "uses": "write.parquet", "with": {"path": str(mill.root / "out"), "replace": True}},
    ]


@pytest.fixture
def filled(mill: Any) -> Any:
    """A mill with data of several shards."""
    mill.jsonl("data/a.jsonl", mill.texts(60))
    return mill


def test_before_the_first_run_everything_runs_or_waits(filled: Any) -> None:
    """The first stage runs with its shards counted; the others wait for their input; nothing is called or made."""
    plan = filled.forecast(steps_of(filled))
    assert {name: stage.state for name, stage in plan.items()} == {
        "one": "runs",
        "exact": "waits",
        "short": "waits",
        "two": "waits",
        "out": "waits",
    }
    assert plan["one"].shards
    assert plan["one"].cached == 0
    assert plan["exact"].reasons == ["input of one is not made yet"]
    assert not filled.calls()
    assert not any(name.startswith(("commits/", "files/", "datasets/")) for name in filled.tree())
    assert not (filled.root / "out").exists()


def test_after_a_run_everything_is_cached(filled: Any) -> None:
    """With rows and shards as they were, and no call."""
    outputs = filled.run(steps_of(filled)).outputs
    filled.calls()
    before = filled.tree()
    plan = filled.forecast(steps_of(filled))
    assert {stage.state for stage in plan.values()} == {"cached"}
    assert plan["one"].shards == plan["one"].cached
    assert plan["two"].rows == outputs["outputs"]["two"]["rows"]
    assert not filled.calls()
    assert filled.tree() == before


def test_a_changed_option_is_named_with_both_values(filled: Any) -> None:
    """The stage with the change runs and says which option of which step; those before it stay cached."""
    filled.run(steps_of(filled))
    filled.calls()
    plan = filled.forecast(steps_of(filled, most=800))
    assert {name: stage.state for name, stage in plan.items()} == {
        "one": "cached",
        "exact": "cached",
        "short": "runs",
        "two": "waits",
        "out": "waits",
    }
    assert "short: most 900 → 800" in plan["short"].reasons
    assert not filled.calls()


def test_the_forecast_comes_true(filled: Any) -> None:
    """What it calls cached is not called by the run that follows, what runs is."""
    filled.run(steps_of(filled))
    filled.calls()
    plan = filled.forecast(steps_of(filled, word="new"))
    assert [name for name, stage in plan.items() if stage.state != "cached"] == ["two", "out"]
    filled.run(steps_of(filled, word="new"))
    assert set(filled.calls()) == {"two"}


def test_a_new_file_is_counted_in_shards(filled: Any) -> None:
    """Only the shards of what is new are not committed."""
    filled.run(steps_of(filled))
    filled.jsonl("data/b.jsonl", filled.texts(30, seed=5))
    before = filled.forecast(steps_of(filled))["one"]
    assert before.state == "runs"
    assert 0 < before.shards - before.cached < before.shards
    assert before.reasons[0] == f"{before.shards - before.cached} of {before.shards} shards are not committed"


def test_a_changed_plugin_file_is_named(filled: Any) -> None:
    """The code of a step is an ingredient like its options."""
    filled.run(steps_of(filled))
    plugin = filled.root / "counting.py"
    plugin.write_text(plugin.read_text() + "\n# a change\n")
    reasons = filled.forecast(steps_of(filled))["one"].reasons
    assert any(reason.startswith("one: code ") for reason in reasons)
