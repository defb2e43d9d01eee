"""Every crash point of a small run, one after the other: whatever stood in the middle, a plain rerun gives the same."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from corpusmill.dataset import store as store_room
from corpusmill.dataset.hashing import hash_bytes
from corpusmill.dataset.storage import open_storage
from corpusmill.errors import StoreError
from corpusmill.plan.check import check
from corpusmill.runner.driver import RunOptions, run_spec

WRITES = ("publish", "put_if_absent", "put", "delete")
READS = ("read", "fetch", "exists", "list")


class Crash(BaseException):
    """The machine stops here: nothing that handles exceptions may carry on."""


class Faults:
    """Counts operations of all storages of a run and lets something happen at one of them."""

    def __init__(self) -> None:
        self.at, self.when, self.seen = 0, "off", 0
        self.names: tuple[str, ...] = ()

    def arm(self, at: int, when: str, names: tuple[str, ...]) -> None:
        """Let operation number `at` among `names` fail: `before` it, `after` it, or `full` (no space left)."""
        self.at, self.when, self.seen, self.names = at, when, 0, names

    def call(self, name: str, operation: Any, arguments: tuple[Any, ...]) -> Any:
        """Do an operation, or what was armed."""
        if name not in self.names:
            return operation(*arguments)
        self.seen += 1
        if self.seen != self.at:
            return operation(*arguments)
        if self.when == "before":
            raise Crash
        if self.when == "full":
            raise OSError(errno.ENOSPC, "No space left on device")
        operation(*arguments)
        raise Crash


class FaultyStorage:
    """A storage whose operations go through `Faults`."""

    def __init__(self, inner: Any, faults: Faults):
        self._inner, self._faults, self.uri = inner, faults, inner.uri

    def __getattr__(self, name: str) -> Any:
        operation = getattr(self._inner, name)
        if name not in WRITES + READS:
            return operation
        return lambda *arguments: self._faults.call(name, operation, arguments)


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> Iterator[Faults]:
    """Put every storage that is opened under the control of one `Faults`."""
    made = Faults()
    monkeypatch.setattr(store_room, "open_storage", lambda uri: FaultyStorage(open_storage(uri), made))
    yield made
    made.arm(0, "off", ())


def steps(pit: Any) -> list[dict[str, Any]]:
    """Three shards through a filter, a deduplicator and a splitter; some rows leave at each."""
    pit.documents(rows=12, poison=[(0, 1), (1, 1)], word="POISON")
    return [
        {"id": "read", "uses": "read.jsonl", "with": {"paths": "data/*.jsonl", "shard": 4000}},
        pit.faulty("raise", most=180),
        {"id": "exact", "uses": "dedup.exact"},
        {"id": "split", "uses": "split.by-hash", "with": {"train": 0.5, "test": 0.5}},
    ]


def calm(pit: Any, chain: list[dict[str, Any]], faults: Faults, names: tuple[str, ...]) -> int:
    """Run without a fault into `calm` and return how many operations of these names it took."""
    faults.arm(0, "off", names)
    outputs = pit.run(chain, store="calm", debug=True).outputs
    assert outputs["counts"]["judge"]["quarantined"] and outputs["counts"]["judge"]["removed"]
    assert len(list(Path(pit.root / "calm/commits").glob("*/*.json"))) >= 9
    return faults.seen


@pytest.mark.parametrize("scheme", ["", pytest.param("object://", marks=pytest.mark.soak)])
def test_a_crash_at_any_write(pit: Any, faults: Faults, scheme: str) -> None:
    """Killed before each write of a storage and after the last, on disk and on an object store: a rerun mends it."""
    chain = steps(pit)
    count = calm(pit, chain, faults, WRITES)
    assert count > 25
    # After one write is before the next: what lies between only reads.
    for at, when in [*((at, "before") for at in range(1, count + 1)), (count, "after")]:
        uri = f"{scheme}{pit.root}/crash-{at}-{when}"
        _crash(pit, chain, faults, uri, at, when)
        assert pit.tree("calm") == _tree(uri), f"crash {when} write {at} of {count}"


def _crash(pit: Any, chain: list[dict[str, Any]], faults: Faults, uri: str, at: int, when: str) -> None:
    checked = check(pit.spec(chain))
    faults.arm(at, when, WRITES)
    with pytest.raises(Crash):
        run_spec(checked, RunOptions(store=uri, debug=True))
    faults.arm(0, "off", ())
    run_spec(checked, RunOptions(store=uri, debug=True))


def _tree(uri: str) -> dict[str, str]:
    storage = open_storage(uri)
    kept = ("datasets/", "files/", "commits/", "artifacts/")
    return {name: hash_bytes(storage.read(name)) for name in storage.list("") if name.startswith(kept)}


def test_a_full_disk_at_any_write(pit: Any, faults: Faults) -> None:
    """No space left at any write: what is needed and what is free, no files left behind, and a rerun ends well."""
    names = ("publish", "put_if_absent", "put")
    chain = steps(pit)
    count = calm(pit, chain, faults, names)
    for at in range(1, count + 1):
        store = f"full-{at}"
        faults.arm(at, "full", names)
        with pytest.raises(StoreError, match=r"no space left.* needed.* free") as caught:
            pit.run(chain, store=store, debug=True)
        assert "run the same command" in str(caught.value)
        assert not list((pit.root / store / "tmp").glob("*.arrow")), f"write {at} left files that were being built"
        faults.arm(0, "off", ())
        pit.run(chain, store=store, debug=True)
        assert pit.tree("calm") == pit.tree(store), f"full at write {at}"
