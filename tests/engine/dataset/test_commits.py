"""Consolidated commit records: found, put if absent, forgotten, merged; whatever stands in the middle, none is lost."""

from __future__ import annotations

import copy
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from corpusmill.dataset import commits
from corpusmill.dataset import store as store_room
from corpusmill.dataset.commits import PACKS, CommitLog, alone_name
from corpusmill.dataset.hashing import hash_json
from corpusmill.dataset.storage import open_storage
from corpusmill.dataset.store import Store
from corpusmill.errors import NotDeterministicError

WRITES = ("publish", "put_if_absent", "put", "delete")


class Crash(BaseException):
    """The machine stops here."""


class Watched:
    """A storage that counts its operations and stops the machine before write number `crash_at`."""

    def __init__(self, inner: Any):
        self.inner, self.uri = inner, inner.uri
        self.counts: Counter[str] = Counter()
        self.writes, self.crash_at = 0, 0

    def __getattr__(self, name: str) -> Any:
        operation = getattr(self.inner, name)

        def watched(*arguments: Any) -> Any:
            self.counts[name] += 1
            if name in WRITES:
                self.writes += 1
                if self.writes == self.crash_at:
                    raise Crash
            return operation(*arguments)

        return watched if callable(operation) else operation


@pytest.fixture(params=["local", "object"])
def uri(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A new store's URI; scratch and cache lie beside it, and one thread makes operations countable in order."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(commits, "_THREADS", 1)
    return str(tmp_path / "store") if request.param == "local" else f"object://{tmp_path}/store"


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every store opened has a watched storage."""
    monkeypatch.setattr(store_room, "open_storage", lambda uri: Watched(open_storage(uri)))


def key(number: int) -> str:
    return hash_json(["key", number])


def record(number: int) -> dict[str, Any]:
    return {"part": number, "name": f"with blanks and a\nnew line {number}"}


def filled(uri: str, count: int, first: int = 0) -> Store:
    """A store with records that stand alone and are known to do so."""
    store = Store(uri)
    for number in range(first, first + count):
        store.commit(key(number), record(number))
    store.commits.alone.update(key(number) for number in range(first, first + count))
    return store


def names(store: Store) -> tuple[list[str], list[str]]:
    """Names of packs, and of records that stand alone."""
    every = list(store.storage.list("commits/"))
    return [name for name in every if name.startswith(PACKS)], [name for name in every if not name.startswith(PACKS)]


def all_there(store: Store, count: int) -> bool:
    return all(store.committed(key(number)) == record(number) for number in range(count))


def test_records_are_found_after_they_were_merged(uri: str) -> None:
    """Fifty records become one file; each is found, by the process that merged them and by a new one, no other is."""
    store = filled(uri, 50)
    store.gather(least=50)
    packs, alone = names(store)
    assert (len(packs), alone) == (1, [])
    for one in (store, Store(uri)):
        assert all_there(one, 50)
        assert one.committed(key(50)) is None
        assert one.committed("0") is one.committed("zz") is None


def test_too_few_are_left_alone(uri: str) -> None:
    """Below the least number nothing is merged."""
    store = filled(uri, 49)
    store.gather(least=50)
    assert len(names(store)[1]) == 49


def test_lookups_open_packs_and_nothing_else(uri: str, watched: None) -> None:
    """Looking up 300 merged records opens one file and asks for none by its own name."""
    filled(uri, 300).gather(least=1)
    store = Store(uri)
    assert all_there(store, 300)
    assert (store.storage.counts["fetch"], store.storage.counts["read"]) == (1, 0)  # type: ignore[attr-defined]


@pytest.mark.parametrize("many", [0, 1, 10**6])
def test_searching_by_halves_or_by_a_table_finds_the_same(uri: str, many: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many searches a pack has seen, each record is found, and none between, before or behind them."""
    monkeypatch.setattr(commits, "_MANY", many)
    filled(uri, 40).gather(least=1)
    store = Store(uri)
    assert all_there(store, 40)
    between = [key(number)[:-1] + letter for number in range(40) for letter in "0f" if key(number)[-1] != letter]
    assert all(store.committed(one) is None for one in [*between, "0", "g", key(3)[:-1], key(3) + "0"])


def test_packs_stay_few(uri: str) -> None:
    """Merged in twenty goes, the records lie in a few packs, each larger than those after it together."""
    for number in range(20):
        filled(uri, 20, 20 * number).gather(least=20)
    assert len(names(Store(uri))[0]) <= 5
    assert all_there(Store(uri), 400)


def test_a_store_travels_to_other_processes(uri: str) -> None:
    """A store that has looked into packs can be copied, as it is on its way to a worker; the copy finds the same."""
    filled(uri, 20).gather(least=1)
    store = Store(uri)
    assert all_there(store, 20)
    assert all_there(copy.deepcopy(store), 20)


def test_a_merged_record_stands(uri: str) -> None:
    """The same record again is no error; another one is, named; for models the first stands; nothing is left behind."""
    filled(uri, 20).gather(least=1)
    for store in (Store(uri), Store(uri)):
        assert store.commit(key(3), record(3)) == record(3)
        with pytest.raises(NotDeterministicError, match=r"filter\.shaky") as caught:
            store.commit(key(3), {**record(3), "part": 99}, operators="filter.shaky")
        assert caught.value.where == "differs in: part"
        assert store.commit(key(3), {"part": 99}, exact=False) == record(3)
    assert names(store)[1] == []


def test_a_worker_of_a_dead_driver_meets_a_pack_it_did_not_know(uri: str) -> None:
    """A process that looked before the merge and writes after it gets the merged record, and takes its own back."""
    late = Store(uri)
    assert late.committed(key(3)) is None
    filled(uri, 20).gather(least=1)
    with pytest.raises(NotDeterministicError):
        late.commit(key(3), {"part": "late"})
    assert late.commit(key(4), record(4)) == record(4)
    assert names(late)[1] == []


def test_a_forgotten_record_leaves_its_pack(uri: str) -> None:
    """Records forgotten at once or later are gone from the pack, the others stay, and others may be committed."""
    filled(uri, 30).gather(least=1)
    store = Store(uri)
    store.forget(key(1))
    for number in (5, 7, 9):
        store.forget(key(number), later=True)
        assert store.committed(key(number)) is None
    assert Store(uri).committed(key(5)) is not None
    store.settle()
    fresh = Store(uri)
    gone = [number for number in range(30) if fresh.committed(key(number)) is None]
    assert gone == [1, 5, 7, 9]
    assert fresh.commit(key(5), {"part": "new"}) == Store(uri).committed(key(5)) == {"part": "new"}
    assert len(names(fresh)[0]) == 1


def test_a_merge_stopped_at_any_write_loses_nothing(uri: str, watched: None) -> None:
    """Killed before each write of a merge that joins an older pack: all records are there; the next merge mends."""
    at, finished = 0, False
    while not finished:
        at += 1
        place = f"{uri}-{at}"
        filled(place, 6).gather(least=1)
        store = filled(place, 8, 6)
        store.storage.writes, store.storage.crash_at = 0, at  # type: ignore[attr-defined]
        try:
            store.commits.consolidate(1)
            finished = True
        except Crash:
            pass
        assert all_there(Store(place), 14), f"crash at write {at}"
        again = filled(place, 1, 14)
        assert all_there(again, 15)  # which tells it what stands alone
        again.gather(least=1)
        assert all_there(Store(place), 15)
        for name in Store(place).commits.superseded():
            Store(place).storage.delete(name)
        packs, alone = names(Store(place))
        assert all_there(Store(place), 15) and not alone and len(packs) <= 2
    assert at >= 10


def test_what_is_superseded_is_named(uri: str) -> None:
    """A record that stands in a pack too, and a pack within a larger one, may go; nothing else is named."""
    filled(uri, 20).gather(least=1)
    store = Store(uri)
    small = store.storage.read(names(store)[0][0])
    filled(uri, 30, 20).gather(least=1)
    assert Store(uri).commits.superseded() == []
    path = store.scratch()
    path.write_bytes(small)
    store.storage.publish(path, f"{PACKS}{'0' * 32}.jsonl")
    store.storage.put_if_absent(alone_name(key(4)), b"{}")
    store.commit(key(99), record(99))
    assert Store(uri).commits.superseded() == sorted([f"{PACKS}{'0' * 32}.jsonl", alone_name(key(4))])


def test_a_damaged_line_is_one_record_lost(uri: str) -> None:
    """A flipped bit inside a record: that one counts as none and may be committed again, the others are found."""
    filled(uri, 30).gather(least=1)
    store = Store(uri)
    root, name = Path(store.uri.removeprefix("object://")), names(store)[0][0]
    path = root / name if (root / name).exists() else root / name.replace("/", "%2F")
    data = bytearray(path.read_bytes())
    place = data.index(b'"part":17')
    data[place + 7] ^= 1
    path.write_bytes(data)
    found = [Store(uri).committed(key(number)) for number in range(30)]
    assert found == [record(number) if number != 17 else None for number in range(30)]
    assert Store(uri).commit(key(17), record(17)) == Store(uri).committed(key(17)) == record(17)
    filled(uri, 40, 30).gather(least=1)
    assert all_there(Store(uri), 70)


def test_a_torn_record_is_never_merged(uri: str) -> None:
    """A record that is no JSON stays where it is until a lookup removes it."""
    store = filled(uri, 10)
    store.storage.put(alone_name(key(2)), b'{"part"')
    store.gather(least=1)
    assert Store(uri).committed(key(2)) is None
    assert [Store(uri).committed(key(number)) for number in (1, 3)] == [record(1), record(3)]


def test_two_drivers_merge_at_once(uri: str) -> None:
    """Two processes that know the same pack and merge it with records of their own leave all of them."""
    filled(uri, 10).gather(least=1)
    one, other = filled(uri, 15, 10), filled(uri, 15, 25)
    assert all_there(other, 10)
    one.gather(least=1)
    other.gather(least=1)
    assert all_there(Store(uri), 40)
    assert isinstance(one.commits, CommitLog) and all_there(one, 10)
