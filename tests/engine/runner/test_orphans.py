"""Orphans: what nothing names goes, and nothing else (tests/faults/test_store_life.py does it in any order)."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import orjson
import pytest

from corpusmill.dataset import commits
from corpusmill.dataset.store import Store
from corpusmill.errors import StoreError
from corpusmill.runner import driver, lease
from corpusmill.runner.lease import Lease
from corpusmill.runner.orphans import find_orphans, remove_orphans

DAY = 86400.0


@pytest.fixture
def merging(monkeypatch: pytest.MonkeyPatch) -> None:
    """Records are merged early and half by half."""
    monkeypatch.setattr(commits, "EVERY", 5)
    monkeypatch.setattr(commits, "_THREADS", 1)
    monkeypatch.setattr(driver, "LEFT_OVER", 3)


def steps(mill: Any, variant: int) -> list[dict[str, Any]]:
    return [
        {"id": "read", "uses": "read.jsonl", "with": {"paths": "data/*.jsonl", "shard": 1500}},
        mill.mark("one", word=f"word{variant}"),
        {"id": "exact", "uses": "dedup.exact"},
    ]


def sweep(uri: str) -> list[str]:
    store = Store(uri)
    return [one.name for one in remove_orphans(store, find_orphans(store, 0.0))]


@pytest.fixture(params=["", "object://"])
def used(mill: Any, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A store after one run, on each storage."""
    monkeypatch.setattr("tempfile.tempdir", str(mill.root))
    mill.store_uri = f"{request.param}{mill.root / 'store'}"
    mill.jsonl("data/a.jsonl", mill.texts(30))
    mill.run(steps(mill, 0))
    sweep(mill.store_uri)  # lists that only workers of this run needed
    return mill


def orphan(store: Store, content: bytes = b"nobody names this") -> str:
    path = store.scratch()
    path.write_bytes(content)
    return store.publish(path).name


def test_orphans_go_and_nothing_else(used: Any) -> None:
    """A file that nothing names, half an artifact and half a write go; all that was there stays."""
    before, store = used.tree(), Store(used.store_uri)
    half = store.scratch()
    half.write_bytes(b"half")
    store.storage.publish(half, f"artifacts/{'a' * 32}/model.safetensors")
    unfinished = ".arriving-0123" if "://" in used.store_uri else "files/.half.0123"
    (Path(used.store_uri.removeprefix("object://")) / unfinished).write_bytes(b"torn")
    expected = sorted([orphan(store), f"artifacts/{'a' * 32}/model.safetensors", unfinished])
    found = find_orphans(Store(used.store_uri), 0.0)
    assert sorted(one.name for one in found.orphans) == expected
    assert sum(one.bytes for one in found.orphans) == len(b"nobody names this") + len(b"half") + len(b"torn")
    assert sorted(sweep(used.store_uri)) == expected
    assert used.tree() == before
    assert sweep(used.store_uri) == []


def test_young_files_are_left(used: Any) -> None:
    """A day old by default: a worker may be about to write the record that names it."""
    store = Store(used.store_uri)
    name = orphan(store)
    found = find_orphans(store)
    assert (found.orphans, found.young) == ((), 1)
    assert store.storage.exists(name)


def test_beside_a_run_only_what_is_older_than_its_start_goes(mill: Any) -> None:
    """However young the user says may go."""
    store = Store(mill.store_uri)
    young, old = orphan(store), orphan(store, b"older than the run")
    os.utime(Path(mill.store_uri) / old, (time.time() - DAY, time.time() - DAY))
    with Lease(store, "mill"):
        found = find_orphans(store, 0.0)
        assert [one.name for one in remove_orphans(store, found)] == [old]
        assert (found.running, found.young) == (("mill",), 1)
    assert sweep(mill.store_uri) == [young]


def test_what_is_written_again_meanwhile_stays(mill: Any) -> None:
    """Between looking and removing a run may have published the same bytes, and name them next."""
    store = Store(mill.store_uri)
    name = orphan(store)
    os.utime(Path(mill.store_uri) / name, (1e9, 1e9))
    found = find_orphans(store, 0.0)
    assert orphan(store) == name
    assert remove_orphans(store, found) == []
    assert store.storage.exists(name)


def test_old_scratch_and_dead_leases_go(mill: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scratch after a day, whatever is asked; the lease of a process that is gone; a living one stays."""
    monkeypatch.setattr(lease, "WATCH", 0.0)
    store = Store(mill.store_uri)
    fresh, old = store.scratch(".arrow"), store.scratch(".arrow")
    for path in (fresh, old):
        path.write_bytes(b"half")
    os.utime(old, (1e9, 1e9))
    dead = Path(mill.store_uri) / "runs" / "dead" / "lease.json"
    dead.parent.mkdir(parents=True)
    dead.write_bytes(orjson.dumps({"pid": 1, "host": "elsewhere", "since": "", "token": "x", "process_start": None}))
    os.utime(dead, (1e9, 1e9))
    with Lease(store, "living"):
        assert sorted(sweep(mill.store_uri)) == sorted([str(old), str(dead)])
        assert (Path(mill.store_uri) / "runs" / "living" / "lease.json").is_file()
    assert fresh.is_file()
    assert not dead.exists()


def test_records_that_stand_in_a_pack_go(mill: Any, merging: None) -> None:
    """A consolidation that was killed between publishing and deleting leaves duplicates; gc ends it."""
    mill.jsonl("data/a.jsonl", mill.texts(40))
    mill.run(steps(mill, 0))
    sweep(mill.store_uri)
    before, store = mill.tree(), Store(mill.store_uri)
    key, record = next((key, data) for _, key, data in store.commits.every() if data is not None)
    single = commits.alone_name(key)
    if store.storage.exists(single):
        pytest.fail("the run should have merged its records")
    store.storage.put(single, commits._sealed(key, record or b""))
    assert sweep(mill.store_uri) == [single]
    assert mill.tree() == before


def test_nothing_goes_while_a_manifest_cannot_be_read(mill: Any) -> None:
    """What it names might look like orphans: the user is told to verify."""
    mill.jsonl("data/a.jsonl", mill.texts(10))
    mill.run(steps(mill, 0))
    store = Store(mill.store_uri)
    name = next(name for name in store.storage.list("datasets/"))
    store.storage.put(name, b"{")
    with pytest.raises(StoreError, match="nothing is known to be an orphan") as caught:
        find_orphans(store, 0.0)
    assert "corpusmill verify" in str(caught.value)
