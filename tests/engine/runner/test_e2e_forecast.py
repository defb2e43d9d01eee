"""`plan` before `run`: what is cached, what runs and why, without calling an operator."""

from __future__ import annotations

import errno
import gzip
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpusmill.dataset.disk import Disk, swapped
from corpusmill.errors import InputError


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


def test_a_folder_as_the_store_of_a_cluster_is_told(filled: Any) -> None:
    """With an address in `run`, the plan says where work is kept and what is lost where nodes do not share it."""
    plan = filled.forecast(steps_of(filled), run={"address": "10.0.0.1:6379"})
    (note,) = plan["one"].notes
    assert str(filled.root / "store") in note
    assert "10.0.0.1:6379 must share it" in note
    assert not filled.forecast(steps_of(filled))["one"].notes


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


class ReadOnly(Disk):
    """A disk that is mounted read-only below a folder."""

    def __init__(self, root: Path):
        self._root = root.resolve()

    def _refuse(self, path: Path) -> None:
        if path.resolve().is_relative_to(self._root):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    def create(self, path: Path) -> int:
        self._refuse(path)
        return super().create(path)

    def make_folder(self, path: Path) -> None:
        self._refuse(path)
        super().make_folder(path)

    def unlink(self, path: Path) -> None:
        self._refuse(path)
        super().unlink(path)


def test_a_store_that_cannot_be_written_to_is_looked_at(filled: Any) -> None:
    """Empty, filled by a run, behind a changed option: the same forecast as elsewhere, which is no business of writes.

    Nor are files that were removed behind the store's back: their work runs again, and nothing is forgotten yet.
    """
    filled.run(steps_of(filled))
    before = filled.tree()
    with swapped(ReadOnly(Path(filled.store_uri))):
        assert {one.state for one in filled.forecast(steps_of(filled)).values()} == {"cached"}
        changed = filled.forecast(steps_of(filled, most=800))
        assert [one.state for one in changed.values()] == ["cached", "cached", "runs", "waits", "waits"]
        (filled.root / "data/b.jsonl").write_text('{"text": "a new document"}\n')
        assert filled.forecast(steps_of(filled))["one"].state == "runs"
        assert filled.tree() == before
        for name in [name for name in before if name.startswith("files/")]:
            (Path(filled.store_uri) / name).unlink()
        assert filled.forecast(steps_of(filled))["one"].cached == 0
    with swapped(ReadOnly(filled.root)):
        filled.store_uri = str(filled.root / "nowhere")
        assert filled.forecast(steps_of(filled))["one"].state == "runs"
    assert not (filled.root / "nowhere").exists()


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


def parquet(path: Path, *, cut: int = 0) -> None:
    """Write a file of some rows without its last `cut` bytes."""
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"text": [f"row {number} of {path.name}" for number in range(20)]}), sink)
    data = sink.getvalue().to_pybytes()
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data[: len(data) - cut])


def tables(mill: Any) -> list[dict[str, Any]]:
    return [{"id": "read", "uses": "read.parquet", "with": {"paths": "data/*"}}, mill.mark("one"), mill.mark("two")]


def test_a_file_that_cannot_be_cut_fails_before_anything_runs(mill: Any) -> None:
    """A Parquet file without its end: the stage is said to fail, with file and reason, though its shards would run."""
    parquet(mill.root / "data/a.parquet")
    parquet(mill.root / "data/b.parquet", cut=9)
    steps = tables(mill)
    steps[1]["keep"] = True
    plan = mill.forecast(steps)
    assert (plan["one"].state, plan["two"].state) == ("fails", "waits")
    assert plan["one"].reasons[0].startswith("1 damaged input file:\n    b.parquet: ")
    with pytest.raises(InputError, match=r"1 damaged input file:\n    b\.parquet: "):
        mill.run(steps)


def test_damage_under_quarantine_is_left_out(mill: Any) -> None:
    """The stage runs, or is cached, without the file, and the plan says which before and after."""
    parquet(mill.root / "data/a.parquet")
    parquet(mill.root / "data/b.parquet", cut=9)
    for state in ("runs", "cached"):
        stage = mill.forecast(tables(mill), limits={"on_corrupt_file": "quarantine"})["two"]
        assert stage.state == state
        (note,) = stage.notes
        assert note.startswith("leaves out 1 damaged input file:\n    b.parquet: ")
        outputs = mill.run(tables(mill), limits={"on_corrupt_file": "quarantine"}).outputs
        assert outputs["outputs"]["two"]["rows"] == 20
        assert [(one["step"], one["file"]) for one in outputs["damaged"]] == [("read", "b.parquet")]


def test_damage_that_only_reading_finds_is_remembered(mill: Any) -> None:
    """A cut gzip looks whole until it is read: after the run that failed of it the plan knows, until it is replaced."""
    whole = gzip.compress(mill.jsonl("plain.jsonl", mill.texts(50)).read_bytes())
    path = mill.root / "data/a.jsonl.gz"
    path.parent.mkdir()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    steps = [{"id": "read", "uses": "read.jsonl", "with": {"paths": "data/*"}}]
    with pytest.raises(InputError, match="1 damaged input file"):
        mill.run(steps)
    for _ in range(2):
        stage = mill.forecast(steps)["read"]
        assert stage.state == "fails"
        assert stage.reasons[0].startswith("1 damaged input file:\n    a.jsonl.gz: ")
    written = path.stat()
    beside = mill.root / "beside"
    beside.write_bytes(whole)
    os.utime(beside, ns=(written.st_atime_ns, written.st_mtime_ns))
    beside.replace(path)
    assert mill.forecast(steps)["read"].state == "runs"
    assert mill.run(steps).outputs["outputs"]["read"]["rows"] == 50


def test_damage_of_one_reader_says_nothing_of_another(mill: Any) -> None:
    """Files of the same relative name under two readers are told apart, in the plan and in a run's record."""
    for folder, cut in (("left", 9), ("right", 0)):
        parquet(mill.root / folder / "a.parquet", cut=cut)
    steps = [{"id": one, "uses": "read.parquet", "with": {"paths": f"{one}/*"}} for one in ("left", "right")]
    limits = {"on_corrupt_file": "quarantine"}
    plan = mill.forecast(steps, limits=limits)
    assert plan["left"].notes
    assert not plan["right"].notes
    (mill.root / "right/a.parquet").write_bytes((mill.root / "left/a.parquet").read_bytes())
    damaged = mill.run(steps, limits=limits).outputs["damaged"]
    assert [(one["step"], one["file"]) for one in damaged] == [("left", "a.parquet"), ("right", "a.parquet")]
