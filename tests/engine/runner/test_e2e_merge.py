"""Sketches merged before the join, evidence fetched in ranges: the same bytes, fewer files, nothing lost on a kill."""

from __future__ import annotations

import random
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest

from corpusmill.dataset import store as store_room
from corpusmill.dataset.commits import PACKS
from corpusmill.dataset.manifest import Dataset
from corpusmill.dataset.storage import open_storage
from corpusmill.dataset.store import FileRef, Store
from corpusmill.exchange import ranged_columns
from corpusmill.exchange.merge import merge_groups
from corpusmill.exchange.ranges import key_ranges
from corpusmill.runner import dedup_stage, dedup_units, exchange_inputs, merge_stage, merge_units

FILES = 9
WRITES = ("publish", "put_if_absent", "put", "delete")


class Crash(BaseException):
    """The machine stops here."""


class Watch:
    """What all storages of a run did: names opened, bytes read in ranges, writes counted; stops at one when told."""

    def __init__(self) -> None:
        self.opened: Counter[str] = Counter()
        self.ranges: Counter[str] = Counter()
        self.writes, self.crash_at = 0, 0


class Watched:
    """A storage under a watch."""

    def __init__(self, inner: Any, watch: Watch):
        self._inner, self._watch, self.uri = inner, watch, inner.uri

    def __getattr__(self, name: str) -> Any:
        operation = getattr(self._inner, name)

        def watched(*arguments: Any) -> Any:
            if name in ("fetch", "read"):
                self._watch.opened[arguments[0]] += 1
            if name == "read_range":
                self._watch.ranges[arguments[0]] += arguments[2] - arguments[1]
            if name in WRITES:
                self._watch.writes += 1
                if self._watch.writes == self._watch.crash_at:
                    raise Crash
            return operation(*arguments)

        return watched if callable(operation) else operation


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    """Every storage that is opened is watched."""
    made = Watch()
    monkeypatch.setattr(store_room, "open_storage", lambda uri: Watched(open_storage(uri), made))
    return made


@pytest.fixture
def corpus(mill: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A mill with 9 files, 30 shards and more; joins in several ranges, as a large corpus has them."""
    monkeypatch.setattr(dedup_stage, "key_ranges", partial(key_ranges, target=6_000))
    texts = mill.texts(FILES * 8, seed=5)
    for number in range(FILES):
        mill.jsonl(f"data/{number:02}.jsonl", texts[number * 8 : number * 8 + 8])
    return mill


def merging(monkeypatch: pytest.MonkeyPatch) -> None:
    """Merge from four sketches on, into runs of four to eight."""
    monkeypatch.setattr(merge_stage, "merge_groups", partial(merge_groups, least=4))


def steps() -> list[dict[str, Any]]:
    return [
        {"id": "read", "uses": "read.jsonl", "with": {"paths": "data/*.jsonl", "shard": 500}},
        {"id": "exact", "uses": "dedup.exact"},
        {"id": "near", "uses": "dedup.minhash", "with": {"threshold": 0.6}},
    ]


def digests(outputs: dict[str, Any]) -> dict[str, str]:
    return {name: one["digest"] for name, one in outputs["outputs"].items()}


def commits(uri: str) -> dict[str, bytes]:
    """Key -> record, alone or in a pack."""
    storage = open_storage(uri)
    found: dict[str, bytes] = {}
    for name in storage.list("commits/"):
        data = storage.read(name)
        if name.startswith(PACKS):
            lines = (line.split(b" ", 2) for line in data.splitlines())
            found |= {key.decode(): record for _, key, record in lines}
        else:
            found[name.rpartition("/")[2].removesuffix(".json")] = data
    return found


def runs_of(uri: str) -> set[str]:
    """Commits of merged runs and masks: those that say what they were made of."""
    return {name for name, data in commits(uri).items() if "of" in orjson.loads(data)}


def test_merged_or_not_the_bytes_are_the_same(corpus: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every commit of a run without merging is one, byte for byte, with it: links, decisions, selections, datasets."""
    plain = corpus.run(steps(), store=f"{corpus.root}/plain").outputs
    merging(monkeypatch)
    merged = corpus.run(steps(), store=f"{corpus.root}/merged").outputs
    assert digests(merged) == digests(plain)
    assert sum(plain["counts"]["near"]["removed"].values()) > 5
    before, after = commits(f"{corpus.root}/plain"), commits(f"{corpus.root}/merged")
    assert before.items() <= after.items()
    assert after.keys() - before.keys() == runs_of(f"{corpus.root}/merged")
    assert not runs_of(f"{corpus.root}/plain")
    masks = [orjson.loads(after[name]) for name in runs_of(f"{corpus.root}/merged")]
    assert {"keys", "selection"} == {name for one in masks for name in one} - {"of"}


def test_a_join_opens_runs_instead_of_sketches(corpus: Any, watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    """A join of one range opens at most one key file and one mask for four parts, and no list travels with it."""
    merging(monkeypatch)
    opened, payloads = [], []
    run_join = dedup_units.run_join

    def watched_join(payload: Any, workspace: Any, key: str) -> Any:
        watch.opened.clear()
        record = run_join(payload, workspace, key)
        if payload["operator"]["uses"] == "dedup.exact":
            opened.append(sum(name.startswith("files/") for name in watch.opened))
            payloads.append({name: value for name, value in payload.items() if name != "operator"})
        return record

    monkeypatch.setattr(dedup_units, "run_join", watched_join)
    outputs = corpus.run(steps()).outputs["outputs"]
    assert len(opened) >= 2
    parts = len(Dataset.open(Store(corpus.store_uri), outputs["exact"]["digest"]).entries)
    assert parts >= 30
    assert max(opened) <= 1 + parts // 4 + 1  # one list, the runs, and the last
    assert max(len(str(one)) for one in payloads) < 250


def test_one_file_more_reuses_the_runs_without_it(corpus: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file added at the end makes its run and mask anew; the others are taken as they are. Same as from scratch."""
    merging(monkeypatch)
    corpus.run(steps())
    before = runs_of(corpus.store_uri)
    corpus.jsonl("data/99.jsonl", corpus.texts(8, seed=5)[:4] + corpus.texts(4, seed=77))
    grown = corpus.run(steps()).outputs
    assert digests(grown) == digests(corpus.run(steps(), store=f"{corpus.root}/scratch").outputs)
    assert 1 <= len(runs_of(corpus.store_uri) - before) <= 4  # a run a dedup, a mask for the second
    assert len(before) >= 5


def test_a_rerun_looks_at_no_sketch_and_no_run(corpus: Any, watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where all is committed, a rerun opens no key file, no evidence and no list."""
    merging(monkeypatch)
    corpus.run(steps())
    found = [orjson.loads(data) for data in commits(corpus.store_uri).values()]
    inputs = {FileRef.from_json(one[name]).name for one in found for name in ("keys", "rows", "of") if one.get(name)}
    watch.opened.clear()
    corpus.run(steps())
    assert len(inputs) > FILES
    assert not inputs & watch.opened.keys()


def test_a_kill_at_any_write_of_a_merge(corpus: Any, watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped before each write around the first merges: a rerun gives the same datasets and the same runs."""
    merging(monkeypatch)
    chain, marks = steps()[:2], []
    run_merge = merge_units.run_merge

    def marked(payload: Any, workspace: Any, key: str) -> Any:
        marks.append(watch.writes)
        return run_merge(payload, workspace, key)

    with monkeypatch.context() as patched:
        patched.setattr(merge_units, "run_merge", marked)
        calm = corpus.run(chain, store=f"{corpus.root}/calm").outputs
    first, last = marks[0] - 1, marks[1] + 3
    for at in range(first, last):
        uri = f"{corpus.root}/crash-{at}"
        watch.writes, watch.crash_at = 0, at
        with pytest.raises(Crash):
            corpus.run(chain, store=uri)
        watch.crash_at = 0
        assert digests(corpus.run(chain, store=uri).outputs) == digests(calm)
        assert commits(uri) == commits(f"{corpus.root}/calm")
    assert last - first >= 5


def test_a_lost_sketch_is_made_again(corpus: Any) -> None:
    """A sketch whose file somebody deleted is forgotten and made again, and so is what needs it."""
    first = corpus.run(steps()).outputs
    store = Store(corpus.store_uri)
    sketch = next(one for one in map(orjson.loads, commits(corpus.store_uri).values()) if "ranked" in one)
    store.storage.delete(FileRef.from_json(sketch["keys"]).name)
    assert digests(corpus.run(steps()).outputs) == digests(first)
    assert store.storage.exists(FileRef.from_json(sketch["keys"]).name)


def test_sketches_on_an_object_store_are_fetched_in_ranges(
    corpus: Any, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On an object store the datasets are those of a local disk, keys and evidence are read in parts, none whole."""
    monkeypatch.setattr("tempfile.tempdir", str(corpus.root))
    local = corpus.run(steps()).outputs
    assert not watch.ranges
    monkeypatch.setattr(exchange_inputs, "WHOLE_BYTES", 0)
    monkeypatch.setattr(ranged_columns, "BLOCK_BYTES", 900)
    monkeypatch.setattr(ranged_columns, "_ENDS", 800)
    watch.opened.clear()
    uri = f"object://{corpus.root}/objects"
    far = corpus.run(steps(), store=uri).outputs
    assert digests(far) == digests(local)
    records = [orjson.loads(data) for data in commits(uri).values()]
    evidence = [FileRef.from_json(one["rows"]) for one in records if one.get("rows")]
    assert len(evidence) >= 30
    keys = [FileRef.from_json(one["keys"]) for one in records if "ranked" in one]
    assert not {one.name for one in evidence + keys} & watch.opened.keys()
    assert watch.ranges.keys() >= {one.name for one in keys}
    assert watch.ranges.keys() & {one.name for one in evidence}  # those parts that have candidates


def test_few_candidates_cost_few_bytes_of_evidence(mill: Any, watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two thousand documents of which three are copies: less than a fifth of the signatures is fetched."""
    monkeypatch.setattr("tempfile.tempdir", str(mill.root))
    monkeypatch.setattr(exchange_inputs, "WHOLE_BYTES", 0)
    monkeypatch.setattr(ranged_columns, "BLOCK_BYTES", 4_096)
    monkeypatch.setattr(ranged_columns, "_ENDS", 8_192)
    draw = random.Random(5)
    words = ["".join(draw.choices("abcdefghijklmnop", k=5)) for _ in range(5000)]
    texts = [" ".join(draw.choices(words, k=40)) for _ in range(2000)]
    mill.jsonl("data/all.jsonl", texts + [f"{texts[place]} again" for place in (5, 900, 1999)])
    chain = [{"id": "read", "uses": "read.jsonl", "with": {"paths": "data/*.jsonl"}}, steps()[2]]
    uri = f"object://{mill.root}/objects"
    outputs = mill.run(chain, store=uri).outputs
    assert sum(outputs["counts"]["near"]["removed"].values()) == 3
    records = [orjson.loads(data) for data in commits(uri).values()]
    (evidence,) = (FileRef.from_json(one["rows"]) for one in records if one.get("rows"))
    assert 0 < watch.ranges[evidence.name] < evidence.bytes / 5


def test_a_file_cut_short_on_an_object_store_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A range beyond what is there is a store error with what to do, never fewer rows."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    store = Store(f"object://{tmp_path}/store")
    path = store.scratch()
    path.write_bytes(b"x" * 100)
    reference = store.publish(path)
    assert exchange_inputs._read(store, reference, 10, 20) == b"x" * 10
    with pytest.raises(store_room.StoreError, match="cut short"):
        exchange_inputs._read(store, FileRef(reference.checksum, 200), 90, 120)
    store.storage.delete(reference.name)
    with pytest.raises(store_room.StoreError, match="gone"):
        exchange_inputs._read(store, reference, 0, 10)
