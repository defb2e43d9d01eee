"""Whole runs on a bucket of a real S3 server: the same bytes, found again from another machine, one run at a time."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import orjson
import pytest

from corpusmill.dataset.storage import open_storage
from corpusmill.dataset.store import Store
from corpusmill.errors import RunLocked, StoreError
from corpusmill.runner import remote_lease
from corpusmill.runner.orphans import find_orphans, remove_orphans
from corpusmill.runner.records import latest_run, list_runs
from corpusmill.runner.remote_lease import FILE_NAME, RemoteLease

STEPS = [
    {"id": "read", "uses": "read.jsonl", "with": {"paths": "data/*.jsonl", "shard": 4000}},
    {"id": "short", "uses": "filter.short", "with": {"most": 300}},
    {"id": "near", "uses": "dedup.minhash"},
]


@pytest.fixture
def place(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URI of an empty prefix; scratch, caches and run records of this machine lie in the test's folder."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return f"{bucket}/{uuid.uuid4().hex}"


def test_inline_on_s3_leaves_the_same_store(mill: Any, place: str) -> None:
    """A worker process that speaks to a bucket leaves the names and bytes of a run in one process on a folder."""
    mill.jsonl("data/a.jsonl", mill.texts(60))
    mill.run(STEPS, store=place, executor="inline")
    mill.run(STEPS)
    assert mill.tree() == mill.tree(place)


def test_a_run_is_found_from_another_machine(mill: Any, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records of runs are kept in the bucket: where none of them ever was, they are listed, and what they made is read;
    a second run there finds all work done, and no record holds a secret or a path of the store's credentials."""
    mill.jsonl("data/a.jsonl", mill.texts(40))
    first = mill.run(STEPS, store=place)
    monkeypatch.setenv("XDG_STATE_HOME", str(mill.root / "elsewhere"))
    monkeypatch.setattr("tempfile.tempdir", str(mill.root / "elsewhere"))
    (mill.root / "elsewhere").mkdir()
    record = latest_run(place, "mill")
    assert (record.timestamp, record.status, record.store) == (first.folder.name, "done", place)
    assert record.outputs["outputs"]["near"]["digest"] == first.outputs["outputs"]["near"]["digest"]
    rows = mill.rows(record.outputs["outputs"]["near"]["digest"], place)
    assert len(rows) == record.outputs["outputs"]["near"]["rows"]
    before = mill.tree(place)
    mill.run(STEPS, store=place)
    assert (mill.tree(place), len(list_runs(place))) == (before, 2)
    storage = open_storage(place)
    assert not any(b"testing" in storage.read(name) for name in storage.list("runs/"))


def held(place: str, **said: Any) -> None:
    """Put a lease as another machine would."""
    content = {"pid": 1, "host": "elsewhere", "since": "2026-01-01T00:00:00+0000", "token": "theirs", **said}
    open_storage(place).put(f"runs/mill/{FILE_NAME}", orjson.dumps(content))


def test_a_run_on_another_machine_is_respected(mill: Any, place: str) -> None:
    """A lease in the bucket that is kept up refuses a second run, and says who and since when; gc takes nothing."""
    mill.jsonl("data/a.jsonl", mill.texts(10))
    held(place)
    with pytest.raises(RunLocked, match="pid 1 on elsewhere") as caught:
        mill.run(STEPS, store=place)
    assert "since 2026" in (caught.value.where or "")
    open_storage(place).put("files/aa/orphan.arrow", b"nobody names this")
    sweep = find_orphans(Store(place), older_than=-3600)
    assert (sweep.running, sweep.orphans) == (("mill",), ())


def test_a_lease_of_the_dead_is_taken_over(mill: Any, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lease whose heartbeat has stopped keeps nobody out, and is gone after the run; then gc removes orphans."""
    mill.jsonl("data/a.jsonl", mill.texts(10))
    held(place)
    monkeypatch.setattr(remote_lease, "STALE", -60.0)
    mill.run(STEPS, store=place)
    storage = open_storage(place)
    assert not storage.exists(f"runs/mill/{FILE_NAME}")
    storage.put("files/aa/orphan.arrow", b"nobody names this")
    store = Store(place)
    removed = remove_orphans(store, find_orphans(store, older_than=-3600))
    assert "files/aa/orphan.arrow" in {one.name for one in removed}
    assert not storage.exists("files/aa/orphan.arrow")


def test_a_lease_that_could_not_be_removed_is_in_nobodys_way(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bucket did not answer when a run of this process ended; the next run of the process goes ahead."""
    store = Store(place)

    def refuse(storage: Any, name: str) -> None:
        raise StoreError("no answer")

    with monkeypatch.context() as patch:
        patch.setattr(type(store.storage), "delete", refuse)
        with RemoteLease(store, "other"):
            pass
    assert store.storage.exists(f"runs/other/{FILE_NAME}")
    with RemoteLease(store, "other"):
        pass
    assert not store.storage.exists(f"runs/other/{FILE_NAME}")


def test_a_lease_of_a_killed_run_of_this_machine_is_taken_over_at_once(place: str) -> None:
    """Its process is gone, so no heartbeat is waited for."""
    store = Store(place)
    with RemoteLease(store, "mill") as mine:
        standing = orjson.loads(store.storage.read(f"runs/mill/{FILE_NAME}"))
        with pytest.raises(RunLocked, match=str(standing["pid"])), RemoteLease(store, "mill"):
            pass
        dead = {**standing, "pid": 2**22 + 1, "token": "dead"}
        store.storage.put(f"runs/mill/{FILE_NAME}", orjson.dumps(dead))
        with RemoteLease(store, "mill"):
            assert mine is not None
            assert orjson.loads(store.storage.read(f"runs/mill/{FILE_NAME}"))["token"] not in ("dead", "theirs")
