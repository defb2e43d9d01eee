"""Whole runs whose commit records are merged on the way: the same data, few files opened, nothing lost on a kill."""

from __future__ import annotations

from collections import Counter
from typing import Any, ClassVar

import orjson
import pytest

from corpusmill.dataset import commits
from corpusmill.dataset import store as store_room
from corpusmill.dataset.commits import PACKS, CommitLog
from corpusmill.dataset.storage import open_storage
from corpusmill.dataset.store import FileRef, Store
from corpusmill.runner import driver

WRITES = ("publish", "put_if_absent", "put", "delete")


class Crash(BaseException):
    """The machine stops here."""


class Watched:
    """A storage whose opened files and writes are counted, and that stops the machine before one of them."""

    opened: ClassVar[Counter[str]] = Counter()
    writes, crash_at = 0, 0

    def __init__(self, inner: Any):
        self._inner, self.uri = inner, inner.uri

    def __getattr__(self, name: str) -> Any:
        operation = getattr(self._inner, name)

        def watched(*arguments: Any) -> Any:
            if name in ("fetch", "read", "read_range"):
                Watched.opened[arguments[0]] += 1
            if name in WRITES:
                Watched.writes += 1
                if Watched.writes == Watched.crash_at:
                    raise Crash
            return operation(*arguments)

        return watched if callable(operation) else operation


@pytest.fixture
def corpus(mill: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Forty shards and more; ten records are merged at once, what is left at the end of a run as well."""
    monkeypatch.setattr(store_room, "open_storage", lambda uri: Watched(open_storage(uri)))
    monkeypatch.setattr(commits, "EVERY", 10)
    monkeypatch.setattr(commits, "_THREADS", 1)
    monkeypatch.setattr(driver, "LEFT_OVER", 1)
    monkeypatch.setattr("tempfile.tempdir", str(mill.root))
    Watched.crash_at = 0
    mill.jsonl("data/all.jsonl", mill.texts(90, seed=9))
    return mill


def steps() -> list[dict[str, Any]]:
    return [
        {"id": "read", "uses": "read.jsonl", "with": {"paths": "data/*.jsonl", "shard": 400}},
        {"id": "short", "uses": "filter.short", "with": {"most": 250}},
        {"id": "exact", "uses": "dedup.exact"},
    ]


def told(outputs: dict[str, Any]) -> Any:
    """What a run says of its data, without what differs from run to run."""
    counts = {step: {k: v for k, v in one.items() if k != "seconds"} for step, one in outputs["counts"].items()}
    made = {name: {k: v for k, v in one.items() if k != "path"} for name, one in outputs["outputs"].items()}
    return made, counts


def names(uri: str) -> tuple[list[str], list[str]]:
    every = list(open_storage(uri).list("commits/"))
    return [name for name in every if name.startswith(PACKS)], [name for name in every if not name.startswith(PACKS)]


def keys_in(uri: str) -> set[str]:
    packs, alone = names(uri)
    storage = open_storage(uri)
    packed = {line.split(b" ")[1].decode() for name in packs for line in storage.read(name).splitlines()}
    return packed | {name.rpartition("/")[2].removesuffix(".json") for name in alone}


@pytest.mark.parametrize("scheme", ["", "object://"])
def test_a_rerun_opens_packs(corpus: Any, monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    """A finished run of over a hundred commits is run again by opening a handful of files; the data is the same."""
    uri = f"{scheme}{corpus.root}/store"
    first = corpus.run(steps(), store=uri).outputs
    packs, alone = names(uri)
    assert 1 <= len(packs) <= 5 and not alone
    assert len(keys_in(uri)) > 100
    Watched.opened.clear()
    assert told(corpus.run(steps(), store=uri).outputs) == told(first)
    assert sum(Watched.opened.values()) <= len(packs) + 2  # and the index of input files, and the decisions
    with monkeypatch.context() as patched:
        patched.setattr(CommitLog, "consolidate", lambda *_: 0)
        plain = corpus.run(steps(), store=f"{scheme}{corpus.root}/plain").outputs
    assert told(plain) == told(first)
    assert keys_in(f"{scheme}{corpus.root}/plain") == keys_in(uri)


def test_records_of_earlier_runs_are_merged_by_the_next(corpus: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store with records that stand alone (a killed run, an earlier version) is tidied by a run that reads them."""
    with monkeypatch.context() as patched:
        patched.setattr(CommitLog, "consolidate", lambda *_: 0)
        corpus.run(steps())
    assert not names(corpus.store_uri)[0]
    before = keys_in(corpus.store_uri)
    corpus.run(steps())
    assert not names(corpus.store_uri)[1]
    assert keys_in(corpus.store_uri) == before


def test_a_kill_inside_a_merge(corpus: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped before each write of the second merge of a run: the rerun makes the same and no finished shard again."""
    spans: list[tuple[int, int]] = []
    consolidate = CommitLog.consolidate

    def marked(log: CommitLog, least: int | None = None) -> int:
        start = Watched.writes
        merged = consolidate(log, least)
        if merged:
            spans.append((start, Watched.writes))
        return merged

    chain = steps()[:2]
    chain[1] = corpus.mark("short")
    with monkeypatch.context() as patched:
        patched.setattr(CommitLog, "consolidate", marked)
        Watched.writes = 0
        calm = told(corpus.run(chain, store=f"{corpus.root}/calm").outputs)
    calls = sum(corpus.calls().values())
    first, last = spans[1]
    assert last - first >= 10
    for at in range(first + 1, last + 1, 2):
        uri = f"{corpus.root}/crash-{at}"
        Watched.writes, Watched.crash_at = 0, at
        with pytest.raises(Crash):
            corpus.run(chain, store=uri)
        Watched.crash_at = 0
        assert told(corpus.run(chain, store=uri).outputs) == calm
        assert sum(corpus.calls().values()) == calls
        assert keys_in(uri) == keys_in(f"{corpus.root}/calm")


def test_shards_whose_files_are_gone_are_made_again(corpus: Any) -> None:
    """Four parts that somebody deleted leave their packs and are made again; the others are not touched."""
    chain = [steps()[0], corpus.mark("short")]
    first = corpus.run(chain).outputs
    corpus.calls()
    storage = open_storage(corpus.store_uri)
    lines = [line for name in names(corpus.store_uri)[0] for line in storage.read(name).splitlines()]
    records = [orjson.loads(line.split(b" ", 2)[2]) for line in lines]
    for record in [one for one in records if one["part"][1]][2:30:9]:
        storage.delete(FileRef.from_json(record["part"][2]).name)
    again = corpus.run(chain).outputs
    assert told(again) == told(first)
    assert sum(corpus.calls().values()) == 4
    assert Store(corpus.store_uri).commits.superseded() == []
