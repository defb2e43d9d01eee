"""Finding a document among many files: the same answers as reading all of them, from a handful of opened files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pytest

from corpusmill.dataset import store as store_room
from corpusmill.dataset.hashing import hash_json
from corpusmill.dataset.part import write_table
from corpusmill.dataset.storage import open_storage
from corpusmill.dataset.store import FileRef, Store
from corpusmill.errors import StoreError, UsageError
from corpusmill.runner import id_index
from corpusmill.runner.decision import Fate
from corpusmill.runner.id_index import Asked, possible_files
from corpusmill.runner.records import RunRecord, latest_run
from corpusmill.runner.replay import replay
from corpusmill.runner.trace import trace

FILES = 40
COLUMNS = pa.schema([("id", pa.string()), ("file", pa.large_string()), ("offset", pa.int64())])


class CountingStorage:
    """A storage that notes which names were opened, and refuses writes when told to."""

    def __init__(self, inner: Any, opened: Counter[str], closed: list[bool]):
        self._inner, self._opened, self._closed, self.uri = inner, opened, closed, inner.uri

    def __getattr__(self, name: str) -> Any:
        operation = getattr(self._inner, name)
        if name in ("fetch", "read"):
            return lambda one, *rest: (self._opened.update([one]), operation(one, *rest))[1]
        if name in ("publish", "put_if_absent", "put") and self._closed:
            return lambda *rest: (_ for _ in ()).throw(PermissionError(13, "Permission denied"))
        return operation


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """Names that storages opened; `opened.closed` holds something when they refuse writes."""
    count: Any = Counter()
    count.closed = []
    monkeypatch.setattr(store_room, "open_storage", lambda uri: CountingStorage(open_storage(uri), count, count.closed))
    return count


@pytest.fixture(scope="module")
def run(new_mill: Any) -> tuple[RunRecord, Any]:
    """A run over 40 files, each a shard: rows removed by a filter and by dedup, some quarantined."""
    mill = new_mill()
    texts = mill.texts(FILES * 6, seed=3)
    for number in range(FILES):
        own = [*texts[number * 6 : number * 6 + 6], "poison " * 400]
        mill.jsonl(
            f"data/{number:02}.jsonl", [{"text": text, "name": f"n{number}-{row}"} for row, text in enumerate(own)]
        )
    result = mill.run(steps(), limits={"max_bad_fraction": 1.0})
    return latest_run(Path(mill.store_uri), "mill"), result


def steps(**reader: Any) -> list[dict[str, Any]]:
    return [
        {"id": "read", "uses": "read.jsonl", "with": {"paths": "data/*.jsonl", "shard": 500, **reader}},
        {"id": "short", "uses": "filter.short", "with": {"most": 200}},
        {"id": "judge", "uses": "filter.explode"},
        {"id": "exact", "uses": "dedup.exact"},
    ]


def documents(record: RunRecord) -> list[str]:
    """Ids of a few documents of each fate, with their places."""
    from corpusmill.runner.search import Wanted, find_kept, find_removals

    every = Wanted(prefix="")
    removed = {one.rule: f"{one.id}" for one in find_removals(record, every, 10_000)}
    kept = find_kept(record, every, 10_000)["exact"]
    places = [f"{row['file']}@{row['offset']}" for row in (kept[0], kept[-1])]
    return [*removed.values(), kept[0]["id"], kept[-1]["id"], kept[5]["id"][:9], *places]


def without_index(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(id_index, "FEW", 10**9)


def test_answers_do_not_depend_on_the_index(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kept, removed, a duplicate; by id, its start or its place: `explain` tells the same without an index."""
    record, _ = run
    asked = documents(record)
    assert len(asked) >= 6
    with_index = [trace(record, one, replay) for one in asked]
    without_index(monkeypatch)
    assert [trace(record, one, replay) for one in asked] == with_index
    assert {one.outcome for one in with_index} == {"kept", "removed"}


def test_the_second_question_opens_a_handful_of_files(
    run: Any, opened: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once the index is there, a run of 40 shards is asked for a document by opening under 20 files, not hundreds."""
    record, _ = run
    kept, removed = documents(record)[-4], documents(record)[0]
    for one in (kept, removed):
        trace(record, one, None)
        opened.clear()
        trace(record, one, None)
        parts = [name for name in opened if name.startswith("files/")]
        assert 1 <= len(parts) < 20
        with monkeypatch.context() as patched:
            without_index(patched)
            opened.clear()
            trace(record, one, None)
        assert len([name for name in opened if name.startswith("files/")]) > 2 * FILES


def test_unknown_documents_stay_unknown(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An id that no document has, and one that fits several, are the same errors with and without."""
    record, _ = run
    told = []
    for document in ("0123456789abcdef", "no-such-document", "nowhere.jsonl@12"):
        with pytest.raises(UsageError) as caught:
            trace(record, document)
        told.append(str(caught.value))
    without_index(monkeypatch)
    for document, words in zip(("0123456789abcdef", "no-such-document", "nowhere.jsonl@12"), told, strict=True):
        with pytest.raises(UsageError) as caught:
            trace(record, document)
        assert str(caught.value) == words


def test_a_store_that_cannot_be_written_to_is_searched_all_the_same(new_mill: Any, opened: Any) -> None:
    """Without the right to write no index is made, every file is read, and the answer is there."""
    mill = new_mill()
    for number in range(20):
        mill.jsonl(f"data/{number:02}.jsonl", mill.texts(5, number))
    mill.run(steps())
    record = latest_run(Path(mill.store_uri), "mill")
    before = mill.tree()
    opened.closed.append(True)
    fates: list[Fate] = [trace(record, one) for one in documents(record)]
    assert {one.outcome for one in fates} >= {"kept"}
    opened.closed.clear()
    assert mill.tree() == before


def test_ids_of_any_form_are_found(new_mill: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids from a column are no hex digits: whole ids and starts of them are found as by reading everything."""
    mill = new_mill()
    for number in range(20):
        rows = [{"text": text, "name": f"http://site/{number}/{row}"} for row, text in enumerate(mill.texts(5, number))]
        mill.jsonl(f"data/{number:02}.jsonl", rows)
    mill.run(steps(id="name", columns=["text", "name"]))
    record = latest_run(Path(mill.store_uri), "mill")
    asked = ["http://site/13/2", "http://site/7/", "http://site/19/0"]

    def answers() -> list[str]:
        told = []
        for one in asked:
            try:
                told.append(str(trace(record, one)))
            except UsageError as error:
                told.append(str(error))
        return told

    found = answers()
    without_index(monkeypatch)
    assert answers() == found
    assert "fits" in found[1] and "http://site/13/2" in found[0]


def ids_file(store: Store, ids: list[str | None]) -> FileRef:
    rows = [{"id": one, "file": f"f{number % 3}", "offset": number} for number, one in enumerate(ids)]
    return write_table(store, pa.Table.from_pylist(rows, schema=COLUMNS))


def test_an_index_is_made_once_and_made_again_where_it_is_gone(tmp_path: Path) -> None:
    """The second search makes nothing; where somebody removed the index file, it is made again with the same bytes."""
    store = Store(str(tmp_path))
    files = [ids_file(store, [hash_json([number, row]) for row in range(4)] + [None]) for number in range(30)]
    asked = Asked("id", prefix=hash_json([17, 2])[:8])
    assert possible_files(store, files, asked) == [17]
    before = set(store.storage.list(""))
    assert possible_files(Store(str(tmp_path)), files, asked) == [17]
    assert set(store.storage.list("")) == before
    commits = [orjson.loads(store.storage.read(name)) for name in before if name.startswith("commits/")]
    index = FileRef.from_json(commits[0]["keys"])
    store.storage.delete(index.name)
    assert possible_files(Store(str(tmp_path)), files, asked) == [17]
    assert set(store.storage.list("")) == before


def test_one_file_more_makes_one_index_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list that grew keeps the indexes of the groups that did not change."""
    monkeypatch.setattr(id_index, "SMALLEST", 8)
    monkeypatch.setattr(id_index, "LARGEST", 16)
    store = Store(str(tmp_path))
    files = [ids_file(store, [hash_json([number, row]) for row in range(3)]) for number in range(100)]
    possible_files(store, files, Asked("id", prefix="0"))
    before = sum(name.startswith("commits/") for name in store.storage.list(""))
    assert before >= 6
    more = [*files, ids_file(store, [hash_json("new")])]
    assert possible_files(store, more, Asked("id", prefix=hash_json("new"))) == [100]
    assert sum(name.startswith("commits/") for name in store.storage.list("")) == before + 1


@pytest.mark.parametrize("scheme", ["", "object://"])
def test_a_damaged_index_costs_nothing_but_time(tmp_path: Path, scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flipped bit in the index: every file of its group counts as possible, the damaged file goes."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    uri = f"{scheme}{tmp_path}/store"
    store = Store(uri)
    files = [ids_file(store, [hash_json([number, row]) for row in range(4)]) for number in range(30)]
    asked = Asked("id", prefix=hash_json([3, 1]))
    known = set(store.storage.list("files/"))
    assert possible_files(store, files, asked) == [3]
    index = next(name for name in set(store.storage.list("files/")) - known if name.endswith(".arrow"))
    root = Path(store.uri.removeprefix("object://"))
    path = root / index if (root / index).exists() else root / index.replace("/", "%2F")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    for copy in store.storage._cache.folder.iterdir() if store.storage.remote else ():  # type: ignore[attr-defined]
        copy.unlink()
    assert possible_files(Store(uri), files, asked) == list(range(30))
    assert possible_files(Store(uri), files, asked) == [3]


def test_a_store_error_while_an_index_is_made_is_told_by_the_reading(tmp_path: Path) -> None:
    """A listed file that is gone makes no index: all files are possible, and opening that one says what is wrong."""
    store = Store(str(tmp_path))
    files = [ids_file(store, [hash_json([number])]) for number in range(20)]
    store.storage.delete(files[4].name)
    assert possible_files(store, files, Asked("id", prefix="ab")) == list(range(20))
    with pytest.raises(StoreError, match="gone"):
        store.path(files[4])
