"""Input that grows, changes or shrinks: the work is that of what changed, the result that of a run from nothing."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pyarrow.parquet as pq
import pytest

BIG = "64 KB"


def steps_of(mill: Any, *, shard: str = BIG) -> list[dict[str, Any]]:
    """Two passes around both deduplicators, and an export."""
    return [
        {"id": "read", "uses": "read.jsonl", "with": {"paths": "data/*.jsonl", "shard": shard}},
        mill.mark("one"),
        {"id": "exact", "uses": "dedup.exact"},
        {"id": "near", "uses": "dedup.minhash", "with": {"threshold": 0.7}},
        mill.mark("two"),
        {"id": "export", "uses": "write.parquet", "with": {"path": str(mill.root / "out"), "replace": True}},
    ]


def big_file(mill: Any, name: str, seed: int) -> None:
    """Write a file above a quarter of a shard: a shard of its own."""
    mill.jsonl(f"data/{name}.jsonl", mill.texts(100, seed))
    assert 16 << 10 < (mill.root / f"data/{name}.jsonl").stat().st_size < 64 << 10


CHANGES: dict[str, Callable[[Any], None]] = {
    "a file added at the end": lambda mill: big_file(mill, "z", 9),
    "a file that sorts first": lambda mill: big_file(mill, "a", 9),
    "a changed file": lambda mill: big_file(mill, "d", 9),
    "a deleted file": lambda mill: (mill.root / "data/d.jsonl").unlink(),
}
UNITS = {
    "a file added at the end": (1, 1),
    "a file that sorts first": (1, 1),
    "a changed file": (1, 1),
    "a deleted file": (0, 0),
}
"""How many shards are read, and how many are sketched (by each of two deduplicators)."""


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_of_one_file_costs_one_shard(new_mill: Any, what: str) -> None:
    """One shard a pass and its sketches are made; dataset and exported files equal those of a run from nothing."""
    mill = new_mill()
    for name, seed in (("b", 1), ("c", 2), ("d", 3), ("e", 4)):
        big_file(mill, name, seed)
    mill.run(steps_of(mill))
    before = {kind: set(keys) for kind, keys in mill.commits().items()}
    mill.calls()
    CHANGES[what](mill)
    grown = mill.run(steps_of(mill)).outputs
    made = {kind: len(set(keys) - before[kind]) for kind, keys in mill.commits().items()}
    shards, sketches = UNITS[what]
    assert mill.calls()["one"] == shards
    assert made["sketch"] == 2 * sketches
    exported = {path.name: path.read_bytes() for path in (mill.root / "out").rglob("*.parquet")}
    fresh = mill.run(steps_of(mill), store=str(mill.root / "fresh")).outputs
    assert {step: one["digest"] for step, one in grown["outputs"].items()} == {
        step: one["digest"] for step, one in fresh["outputs"].items()
    }
    assert exported == {path.name: path.read_bytes() for path in (mill.root / "out").rglob("*.parquet")}
    assert (
        sum(pq.read_metadata(path).num_rows for path in (mill.root / "out").rglob("*.parquet"))
        == (fresh["outputs"]["two"]["rows"])
    )


def test_a_second_pass_runs_only_parts_whose_rows_changed(mill: Any) -> None:
    """Without duplicates across files a new file costs the pass behind the deduplicators one part too."""
    for number in range(4):
        rows = [f"document {row} of file {number} about {row * number}" for row in range(500)]
        mill.jsonl(f"data/{number}.jsonl", rows)
    mill.run(steps_of(mill, shard="16 KB"))
    mill.calls()
    mill.jsonl("data/9.jsonl", [f"a later document {row}" for row in range(500)])
    mill.run(steps_of(mill, shard="16 KB"))
    calls = mill.calls()
    assert 1 <= calls["one"] <= 2
    assert 1 <= calls["two"] <= 2


@pytest.mark.parametrize("position", ["0000", "0150", "9999"])
def test_a_small_file_costs_its_group(mill: Any, position: str) -> None:
    """Among sixty small files, one more costs the one or two groups that it falls into."""
    for number in range(60):
        mill.jsonl(f"data/{number * 5:04d}.jsonl", [f"text of {number}"])
    first = mill.run(steps_of(mill)[:2]).outputs
    groups = len(mill.commits()["pass"])
    assert groups > 8
    mill.jsonl(f"data/{position}-new.jsonl", ["a new text"])
    second = mill.run(steps_of(mill)[:2]).outputs
    assert 1 <= len(mill.commits()["pass"]) - groups <= 2
    assert second["outputs"]["one"]["rows"] == first["outputs"]["one"]["rows"] + 1
    fresh = mill.run(steps_of(mill)[:2], store=str(mill.root / "fresh")).outputs
    assert second["outputs"] == {
        step: {**one, "path": one["path"].replace("/fresh/", "/store/")} for step, one in fresh["outputs"].items()
    }


def test_appending_reruns_only_the_last_range(mill: Any) -> None:
    """A long file that grows is cut where it was cut before: one range is read again, with what is new."""
    path = mill.jsonl("data/long.jsonl", mill.texts(600, 3))
    ranges = path.stat().st_size // 16_384 + 1
    mill.run(steps_of(mill, shard="16 KB")[:2])
    assert mill.calls()["one"] == ranges
    with path.open("ab") as stream:
        stream.write(b'{"text": "one more"}\n')
    grown = mill.run(steps_of(mill, shard="16 KB")[:2]).outputs
    assert mill.calls()["one"] == 1
    fresh = mill.run(steps_of(mill, shard="16 KB")[:2], store=str(mill.root / "fresh")).outputs
    assert grown["outputs"]["one"]["digest"] == fresh["outputs"]["one"]["digest"]
    assert grown["outputs"]["one"]["rows"] == 601


def test_a_touched_file_costs_no_operator_call(mill: Any) -> None:
    """Another time of change with the same bytes is read, found the same, and not run again."""
    path = mill.jsonl("data/a.jsonl", mill.texts(30))
    mill.run(steps_of(mill)[:2])
    mill.calls()
    os.utime(path, ns=(1, 1))
    mill.run(steps_of(mill)[:2])
    assert not mill.calls()


def test_a_moved_corpus_costs_no_operator_call(mill: Any) -> None:
    """The same files under another folder have the same names from there: all work is found again."""
    mill.jsonl("data/a.jsonl", mill.texts(30))
    mill.run(steps_of(mill)[:2])
    mill.calls()
    (mill.root / "data").rename(mill.root / "moved")
    steps = steps_of(mill)[:2]
    steps[0]["with"]["paths"] = "moved/*.jsonl"
    mill.run(steps)
    assert not mill.calls()
