"""Orphans: after any sequence of runs, kills and gc what was published verifies and is cached; only orphans go."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpusmill.dataset import commits
from corpusmill.dataset import store as store_room
from corpusmill.dataset.manifest import Dataset
from corpusmill.dataset.storage import open_storage
from corpusmill.dataset.store import Store
from corpusmill.dataset.verification import verify_files
from corpusmill.errors import StoreError
from corpusmill.runner import driver
from corpusmill.runner.lease import Lease
from corpusmill.runner.orphans import find_orphans, remove_orphans
from corpusmill.runner.store_check import take_inventory

WRITES = ("publish", "put_if_absent", "put", "delete")
DAY = 86400.0


class Crash(BaseException):
    """The machine stops here."""


class Killing:
    """A storage that stops the machine before its n-th write."""

    writes: ClassVar[int] = 0
    crash_at: ClassVar[int] = 0

    def __init__(self, inner: Any):
        self._inner, self.uri, self.remote = inner, inner.uri, inner.remote

    def __getattr__(self, name: str) -> Any:
        operation = getattr(self._inner, name)

        def watched(*arguments: Any) -> Any:
            if name in WRITES:
                Killing.writes += 1
                if Killing.writes == Killing.crash_at:
                    raise Crash
            return operation(*arguments)

        return watched


@pytest.fixture
def killing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stores whose writes can be cut, and records that are merged early and half by half."""
    monkeypatch.setattr(store_room, "open_storage", lambda uri: Killing(open_storage(uri)))
    monkeypatch.setattr(commits, "EVERY", 5)
    monkeypatch.setattr(commits, "_THREADS", 1)
    monkeypatch.setattr(driver, "LEFT_OVER", 3)
    Killing.crash_at = 0


def steps(mill: Any, variant: int) -> list[dict[str, Any]]:
    return [
        {"id": "read", "uses": "read.jsonl", "with": {"paths": "data/*.jsonl", "shard": 1500}},
        mill.mark("one", word=f"word{variant}"),
        {"id": "exact", "uses": "dedup.exact"},
    ]


def sweep(uri: str) -> list[str]:
    store = Store(uri)
    return [one.name for one in remove_orphans(store, find_orphans(store, 0.0))]


def wrong(uri: str) -> list[Any]:
    return list(verify_files(take_inventory(Store(uri))).findings)


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("run"), st.integers(0, 1)),
        st.tuples(st.just("kill"), st.integers(0, 1), st.integers(1, 30)),
        st.tuples(st.just("gc")),
        st.tuples(st.just("kill gc"), st.integers(1, 6)),
    ),
    min_size=2,
    max_size=6,
)


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(actions=ACTIONS, scheme=st.sampled_from(["", "object://"]))
def test_any_sequence_of_runs_kills_and_gc(
    new_mill: Callable[[], Any], killing: None, actions: list[Any], scheme: str
) -> None:
    """Whatever was published opens and verifies after each action, and a rerun in the end makes nothing anew."""
    mill = new_mill()
    mill.store_uri = f"{scheme}{mill.root / 'store'}"
    mill.jsonl("data/a.jsonl", mill.texts(40, seed=5))
    published: dict[int, dict[str, Any]] = {}
    for action in [*actions, ("gc",)]:
        _act(mill, action, published)
        assert wrong(mill.store_uri) == []
        for made in published.values():
            for output in made.values():
                dataset = Dataset.open(Store(mill.store_uri), output["digest"])
                assert sum(batch.num_rows for batch in dataset.batches()) == output["rows"]
    mill.calls()
    for variant, made in published.items():
        assert mill.run(steps(mill, variant)).outputs["outputs"] == made
    assert not mill.calls(), "something had to be made again"


def _act(mill: Any, action: Any, published: dict[int, dict[str, Any]]) -> None:
    Killing.writes, Killing.crash_at = 0, action[-1] if action[0].startswith("kill") else 0
    try:
        if action[0].endswith("gc"):
            sweep(mill.store_uri)
        else:
            published[action[1]] = mill.run(steps(mill, action[1])).outputs["outputs"]
    except Crash:
        pass
    finally:
        Killing.crash_at = 0


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


def test_old_scratch_and_dead_leases_go(mill: Any) -> None:
    """Scratch after a day, whatever is asked; the lease of a process that is gone; a living one stays."""
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


def test_records_that_stand_in_a_pack_go(mill: Any, killing: None) -> None:
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
