"""Dedup by segments in whole runs: the same as twenty lines of Python, cached, accounted for, explained."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusmill.dataset.manifest import Dataset
from corpusmill.dataset.store import Store
from corpusmill.errors import OperatorError
from corpusmill.exchange.cut_text import cut_text
from corpusmill.exchange.merge import merge_groups
from corpusmill.exchange.ranges import key_ranges
from corpusmill.report.decisions import fate_text
from corpusmill.runner import merge_stage, segment_stage
from corpusmill.runner.decision import Fate
from corpusmill.runner.records import latest_run
from corpusmill.runner.replay import replay
from corpusmill.runner.trace import trace

Pieces = Sequence[tuple[str, str]]
"""A document as segments, each with the blanks behind it."""


def documents(unit: str) -> st.SearchStrategy[list[list[tuple[str, str]]]]:
    """Documents of segments from a small pool, so that they repeat."""
    west, east = st.sampled_from([" ", "\n", "\n\n"]), st.sampled_from(["", " ", "\n"])
    pools = {
        "line": st.tuples(st.sampled_from(["a", "b c", "中 文", "d."]), st.sampled_from(["\n", "\n\n", " \n  "])),
        "paragraph": st.tuples(st.sampled_from(["a\nb", "b", "中\n文"]), st.sampled_from(["\n\n", "\n \n", "\n\n\n"])),
        "sentence": st.one_of(
            st.tuples(st.sampled_from(["A one.", "Two?", "3.5 is!"]), west),
            st.tuples(st.sampled_from(["甲。", "乙丙！"]), east),
            st.tuples(st.just("No end"), st.just("\n")),
        ),
    }
    return st.lists(st.lists(pools[unit], max_size=6), min_size=1, max_size=12)


def joined(pieces: Pieces) -> str:
    return "".join(segment + blanks for segment, blanks in pieces)


def model(given: Iterable[Pieces], window: int = 1) -> list[str]:
    """The texts that dedup by segments leaves: of equal windows the first stays, of the others all is cut."""
    seen: set[tuple[str, ...]] = set()
    left = []
    for pieces in given:
        cut: set[int] = set()
        for place in range(len(pieces) - window + 1):
            key = tuple(segment for segment, _ in pieces[place : place + window])
            cut |= set(range(place, place + window)) if key in seen else set()
            seen.add(key)
        marked = joined([(f"<{one}>" if place in cut else one, blanks) for place, (one, blanks) in enumerate(pieces)])
        text = re.sub(r"\s*<[^>]*>(?:\s*<[^>]*>)*\s*", lambda gap, whole=marked: close(gap, whole), marked)
        if text.strip() or not cut:
            left.append(text)
    return left


def close(gap: re.Match[str], whole: str) -> str:
    edge = gap.start() == 0 or gap.end() == len(whole)
    runs = [gap[0].partition("<")[0], *re.findall(r"\s+", gap[0])]
    return "" if edge else max(runs, key=lambda blanks: blanks.count("\n"))


def steps_of(shard: int | str = "64 KB", **options: Any) -> list[dict[str, Any]]:
    return [
        {"id": "read", "uses": "read.jsonl", "with": {"paths": "data/*.jsonl", "shard": shard}},
        {"id": "cut", "uses": "dedup.segments", "with": options},
    ]


def texts_of(mill: Any, result: Any, step: str = "cut") -> list[str]:
    return [row["text"] for row in mill.rows(result.outputs["outputs"][step]["digest"])]


CASES = st.sampled_from([("line", 1), ("paragraph", 1), ("sentence", 1), ("sentence", 3), ("line", 2)]).flatmap(
    lambda case: st.tuples(st.just(case), documents(case[0]))
)


@given(case=CASES, shard=st.integers(1, 300), batch=st.integers(1, 400), files=st.integers(1, 3))
@settings(max_examples=25)
def test_the_result_is_that_of_plain_python(new_mill: Any, case: Any, shard: int, batch: int, files: int) -> None:
    """For random documents, in any files, shards and batches, the texts left are those of the model, in order."""
    (unit, window), given_documents = case
    mill = new_mill()
    size = -(-len(given_documents) // files)
    for number in range(files):
        mill.jsonl(f"data/{number}.jsonl", map(joined, given_documents[number * size : (number + 1) * size]))
    result = mill.run(steps_of(shard, unit=unit, window=window), run={"batch_bytes": f"{batch} B"})
    assert texts_of(mill, result) == model(given_documents, window)


@given(given_documents=documents("line"))
@settings(max_examples=15)
def test_no_row_and_no_byte_is_lost(new_mill: Any, given_documents: list[Pieces]) -> None:
    """Rows: in = out + removed, ledger and `removed` hold the removed ones. Text: each document as it came, without the
    spans that the output `cuts` names, is the document that is left; counts agree with what lies in the store."""
    mill = new_mill()
    mill.jsonl("data/a.jsonl", map(joined, given_documents))
    outputs = mill.run(steps_of(shard=200)).outputs
    made, counts = outputs["outputs"], outputs["counts"]["cut"]
    before, after = ({row["id"]: row["text"] for row in mill.rows(made[step]["digest"])} for step in ("read", "cut"))
    removed = {row["id"]: row["text"] for row in mill.rows(made["cut.removed"]["digest"])}
    cuts = [(row["id"], row["start"], row["stop"]) for row in mill.rows(made["cut.cuts"]["digest"])]
    assert counts["in"] == len(before) == counts["out"] + sum(counts["removed"].values())
    assert before.keys() == after.keys() | removed.keys()
    assert not after.keys() & removed.keys()
    left = {
        name: cut_text(text.encode(), sorted((start, stop) for one, start, stop in cuts if one == name)).decode()
        for name, text in before.items()
    }
    assert after == {name: left[name] for name in after}
    assert removed == {name: before[name] for name in removed}
    assert not any(left[name].strip() for name in removed)
    ledger = [row for one in outputs["ledger"] for row in mill.table(one["path"])]
    assert {row["id"]: row["rule"] for row in ledger} == dict.fromkeys(removed, "duplicate_segments")
    assert counts["changed"] == sum(before[name] != after[name] for name in after)
    lost = sum(len(before[name].encode()) - len(left[name].encode()) for name in before)
    assert counts["cut"] == {"documents": len({one for one, _, _ in cuts}), "segments": len(cuts), "bytes": lost}


def filled(mill: Any) -> Any:
    """Four files of a shard each, with lines in common."""
    for number in range(4):
        rows = [f"menu\nstory {number} {row}\nof file {number}" for row in range(60)]
        mill.jsonl(f"data/{number}.jsonl", rows)
    return mill


def records(store: str) -> list[dict[str, Any]]:
    """All commit records, alone or in a pack: a line of their own either way."""
    storage = Store(store).storage
    blobs = [storage.read(name) for name in storage.list("commits/")]
    return [json.loads(line[line.index(b"{") :]) for data in blobs for line in data.splitlines()]


def units(mill: Any) -> dict[str, int]:
    """How many units of each phase are committed."""
    names = {"spans": "sketch", "repeats": "repeats", "shares": "shares", "cut": "cut"}
    found = records(mill.store_uri)
    return {phase: sum(name in record for record in found) for name, phase in names.items()}


def test_an_added_file_is_sketched_alone(mill: Any) -> None:
    """A file more: one sketch more; parts whose repeats are as before are not cut again; the result equals a run from
    nothing."""
    filled(mill).run(steps_of("4 KB"))
    before = units(mill)
    shards = before["sketch"]
    mill.jsonl("data/9.jsonl", [f"menu\nlater {row}\nof file 2" for row in range(20)])
    grown = mill.run(steps_of("4 KB")).outputs
    made = {phase: count - before[phase] for phase, count in units(mill).items()}
    assert shards >= 4
    assert made["sketch"] == made["cut"] == 1
    fresh = mill.run(steps_of("4 KB"), store=str(mill.root / "fresh")).outputs
    assert {step: one["digest"] for step, one in grown["outputs"].items()} == {
        step: one["digest"] for step, one in fresh["outputs"].items()
    }


def test_a_rule_sketches_nothing_again(mill: Any) -> None:
    """Another bound on what is left cuts again from the same repeats; a rerun does nothing at all."""
    filled(mill).run(steps_of("4 KB"))
    first = units(mill)
    mill.run(steps_of("4 KB"))
    assert units(mill) == first
    stage = mill.forecast(steps_of("4 KB", min_doc_words=3))["cut"]
    assert (stage.state, mill.forecast(steps_of("4 KB"))["cut"].state) == ("runs", "cached")
    outputs = mill.run(steps_of("4 KB", min_doc_words=4)).outputs
    second = units(mill)
    assert {phase: second[phase] - first[phase] for phase in ("sketch", "repeats", "shares")} == dict.fromkeys(
        ("sketch", "repeats", "shares"), 0
    )
    assert second["cut"] > first["cut"]
    assert outputs["counts"]["cut"]["removed"] == {"too-few-words": 236}


def test_parts_without_repeats_stay_as_they_are(mill: Any) -> None:
    """A part of which nothing is cut is the same part in the output, not a copy."""
    mill.jsonl("data/a.jsonl", [f"line {row}" for row in range(50)])
    mill.jsonl("data/b.jsonl", [f"line {row}" for row in range(45, 90)])
    made = mill.run(steps_of(500)).outputs["outputs"]
    before, after = (Dataset.open(Store(mill.store_uri), made[step]["digest"]).entries for step in ("read", "cut"))
    same = [one.part.digest == other.part.digest for one, other in zip(before, after, strict=True)]
    assert same.count(False) == 1
    assert len(same) > 2


def test_selected_rows_alone_count(mill: Any) -> None:
    """A document that an earlier deduplicator removed neither keeps its lines nor comes back."""
    mill.jsonl("data/a.jsonl", ["x\none", "one\nx", "x\none", "x\ntwo", "x\ntwo"])
    steps = steps_of()
    steps.insert(1, {"id": "exact", "uses": "dedup.exact"})
    outputs = mill.run(steps)
    assert texts_of(mill, outputs) == ["x\none", "two"]
    assert outputs.outputs["counts"]["cut"]["in"] == 3


@pytest.mark.parametrize("options", [{}, {"keep": "longest", "unit": "sentence"}])
def test_merged_sketches_give_the_same(mill: Any, monkeypatch: pytest.MonkeyPatch, options: dict[str, str]) -> None:
    """Many sketches merged into runs, over several ranges, with rows selected and ranked: the texts of one join."""
    for number in range(9):
        rows = [f"menu\nstory {row % 3}. {'more ' * (row % 5)}\nof {number % 4}" for row in range(12)]
        mill.jsonl(f"data/{number}.jsonl", rows)
    steps = steps_of(200, **options)
    steps.insert(1, {"id": "exact", "uses": "dedup.exact"})
    plain = texts_of(mill, mill.run(steps))
    monkeypatch.setattr(merge_stage, "merge_groups", partial(merge_groups, least=2))
    monkeypatch.setattr(segment_stage, "key_ranges", partial(key_ranges, target=1000))
    merged = str(mill.root / "merged")
    outputs = mill.run(steps, store=merged).outputs
    assert [row["text"] for row in mill.rows(outputs["outputs"]["cut"]["digest"], merged)] == plain
    assert 1 < len(plain) < 9 * 12
    kinds = [set(record) for record in records(merged)]
    assert kinds.count({"keys", "of"}) > 1
    assert kinds.count({"selection", "of"}) > 1
    assert kinds.count({"repeats"}) > 1


def test_the_longest_keeps_its_segments(mill: Any) -> None:
    """`keep: longest` leaves a segment in the longest of its documents; ties go to input order."""
    mill.jsonl("data/a.jsonl", ["same\na", "same\na longer one", "same\nb"])
    assert texts_of(mill, mill.run(steps_of(keep="longest"))) == ["a", "same\na longer one", "b"]


def test_an_earlier_corpus_ranks_first(mill: Any) -> None:
    """`against`: its segments are cut out of the new documents, whatever their rank; it is not in the output."""
    mill.jsonl("old/a.jsonl", ["seen\nold"])
    mill.jsonl("data/a.jsonl", ["a very long text here\nseen", "seen\nold", "new\nnew"])
    steps = [
        {"id": "old", "uses": "read.jsonl", "with": {"paths": "old/*.jsonl"}},
        {"id": "read", "uses": "read.jsonl", "with": {"paths": "data/*.jsonl"}},
        {
            "id": "cut",
            "uses": "dedup.segments",
            "needs": {"documents": "read", "against": "old"},
            "with": {"keep": "longest"},
        },
    ]
    result = mill.run(steps)
    assert texts_of(mill, result) == ["a very long text here", "new"]
    assert result.outputs["counts"]["cut"]["removed"] == {"duplicate_segments": 1}


def test_split_labels_are_counted(mill: Any) -> None:
    """Labels stay with their documents, and the counts by label are those of the rows that are left."""
    mill.jsonl("data/a.jsonl", ["same", *(f"same\nnumber {row}" for row in range(30)), "same"])
    steps = steps_of()
    steps.insert(1, {"id": "split", "uses": "split.by-hash", "with": {"train": 0.5, "test": 0.5}})
    made = mill.run(steps).outputs["outputs"]["cut"]
    labels = [row["split"] for row in mill.rows(made["digest"])]
    assert made["rows"] == 31
    assert made["splits"] == {label: labels.count(label) for label in ("test", "train")}


def test_another_column_can_be_cut(mill: Any) -> None:
    """`column` names what is cut; the text stays."""
    mill.jsonl("data/a.jsonl", [{"text": "t", "notes": "one\ntwo"}, {"text": "t", "notes": "two\nthree"}])
    steps = steps_of()
    steps[0]["with"]["columns"] = ["text", "notes"]
    steps[1]["column"] = "notes"
    rows = mill.rows(mill.run(steps).outputs["outputs"]["cut"]["digest"])
    assert [(row["text"], row["notes"]) for row in rows] == [("t", "one\ntwo"), ("t", "three")]


@pytest.mark.parametrize("how", [{"executor": "inline"}, {"run": {"batch_bytes": "2 KB"}}, {"object": True}])
def test_every_way_to_run_leaves_the_same_store(new_mill: Any, how: dict[str, Any]) -> None:
    """In process, in a forked worker, in small batches and on an object store: the same names with the same bytes."""
    mill = filled(new_mill())
    steps = steps_of("4 KB", unit="sentence", min_doc_words=2)
    mill.run(steps)
    on_objects = how.pop("object", False)
    other = f"object://{mill.root / 'objects'}" if on_objects else str(mill.root / "other")
    mill.run(steps, store=other, **how)
    assert mill.tree(other) == mill.tree()


PLUGIN = """
import numpy as np
from corpusmill import Deduplicator, Sketch, at_most, hookimpl, option
from xxhash import xxh3_128_digest


class Words(Deduplicator):
    \"\"\"Cut words that occurred before; gives them last first.\"\"\"

    unit = "segment"

    class Options(Deduplicator.Options):
        fault: str = option("", help="what goes wrong", affects_result=False)

    def sketch(self, batch):
        found = []
        for row, text in enumerate(batch.column("text").to_pylist()):
            at = 0
            for word in text.split():
                at = text.index(word, at)
                found.insert(0, (row, at, at + len(word), xxh3_128_digest(word.encode())))
                at += len(word)
        keys = np.frombuffer(b"".join(one[3] for one in found), ">u8").astype(np.uint64).reshape(-1, 2)
        places = np.array([one[:3] for one in found], np.int64).reshape(-1, 3)
        return Sketch(keys, places[:, 0], spans=places[:, 1:] + (99 if self.options.fault == "spans" else 0))

    def measure_cut(self, before, after):
        return {"left": [1.0] * (after.num_rows + (self.options.fault == "shape"))}

    def rules(self):
        return [at_most("left", 1.0)]


@hookimpl
def corpusmill_register(registry):
    registry.dedup("words", "words:Words", "Cut words that occurred before.")
"""


def words(mill: Any, **options: Any) -> Any:
    (mill.root / "words.py").write_text(PLUGIN)
    steps = [*steps_of()[:1], {"id": "cut", "uses": "dedup.words", "with": options}]
    return mill.run(steps, plugins=["./counting.py", "./words.py"])


def test_a_plugin_says_what_a_segment_is(mill: Any) -> None:
    """A deduplicator of a plugin file: any segments in any order, without measuring; the first word of each stays."""
    mill.jsonl("data/a.jsonl", ["a b a", "b c d", "c\n\na", "e"])
    assert texts_of(mill, words(mill)) == ["a b", "c d", "e"]


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("spans", ("the sketch breaks its contract: a segment at bytes", "dedup.words")),
        ("shape", ("the signal 'left' has the shape (2,) for a batch of 1 rows", "")),
    ],
)
def test_a_broken_plugin_is_named(mill: Any, fault: str, told: tuple[str, str]) -> None:
    """What a deduplicator of segments raises or returns wrongly ends the run with words on who and where, and leaves
    nothing behind that was being built."""
    mill.jsonl("data/a.jsonl", ["a b", "a c"])
    with pytest.raises(OperatorError) as raised:
        words(mill, fault=fault)
    assert told[0] in str(raised.value)
    assert told[1] in (raised.value.where or "")
    assert not list(Path(mill.store_uri).glob("tmp/*.arrow"))


class Crash(BaseException):
    """The machine stops here."""


def test_a_crash_at_any_write_is_mended(mill: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed before any file or record is published, the next run leaves the store of a run that was never stopped."""
    mill.jsonl("data/a.jsonl", ["menu\none", "menu\ntwo", "menu"])
    mill.run(steps_of())
    expected, left = mill.tree(), 0
    for name in ("publish", "record"):
        real = getattr(Store, name)

        def stops(*arguments: Any, real: Any = real, **named: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0:
                raise Crash
            return real(*arguments, **named)

        monkeypatch.setattr(Store, name, stops)
    crashes, store = 0, ""
    while True:
        store, left = str(mill.root / f"crash-{crashes}"), crashes + 1
        try:
            mill.run(steps_of(), store=store)
        except Crash:
            left, crashes = 0, crashes + 1
            mill.run(steps_of(), store=store)
            assert mill.tree(store) == expected, f"stopped at write {crashes}"
            continue
        break
    assert crashes > 15
    assert mill.tree(store) == expected


EXPLAINED = """\
  ✓  read  read.jsonl      read
  ✓  cut   dedup.segments  changed
       detail: 2 segments cut
       cut 0-4 = menu
       stays in = {first}
       cut 9-14 = about
       stays in = {first}
       - menu
       - about

kept: it stands in read, cut
"""
REMOVED = """\
  ✓  read  read.jsonl      read
  ✗  cut   dedup.segments  removed by duplicate_segments: 0 (threshold 1)
       detail: 1 segment cut
       cut 0-4 = menu
       stays in = {first}
       - menu

removed at cut
"""


def fates_of(mill: Any, path: Path) -> list[Fate]:
    """What explain says of every document of a file."""
    offsets = [0, *(at + 1 for at, byte in enumerate(path.read_bytes()) if byte == 10)][:-1]
    record = latest_run(mill.store_uri, "mill")
    return [trace(record, f"{path.name}@{offset}", replay) for offset in offsets]


def test_explain_shows_what_was_cut(mill: Any) -> None:
    """A changed document shows each cut segment, the document it stays in and both texts, a removed one its rule too,
    others neither."""
    path = mill.jsonl("data/a.jsonl", ["menu\none\nabout", "menu\ntwo\nabout", "menu"])
    mill.run(steps_of())
    fates = fates_of(mill, path)
    assert [fate.decisions[-1].verdict for fate in fates] == ["kept", "changed", "removed"]
    assert [one.note for fate in fates for one in fate.decisions] == [None] * 6
    for fate, told in zip(fates[1:], (EXPLAINED, REMOVED), strict=True):
        assert fate_text(fate).split("\n\n", 1)[1] == told.format(first=fates[0].id)


def test_explain_finds_where_a_segment_stays(mill: Any) -> None:
    """In an earlier corpus first, then in the best-ranked document, in any shard, among the selected rows of a split;
    once the sketches are gone, what was cut is still told."""
    old = mill.jsonl("old/old.jsonl", ["seen", "x"])
    new = mill.jsonl("data/new.jsonl", ["short\nb", "seen\na", "short\nthe longest of them", "c\nshort"])
    steps = [
        {"id": "old", "uses": "read.jsonl", "with": {"paths": "old/*.jsonl"}},
        {"id": "read", "uses": "read.jsonl", "with": {"paths": "data/*.jsonl", "shard": 20}},
        {"id": "split", "uses": "split.by-hash", "with": {"train": 1.0}},
        {
            "id": "cut",
            "uses": "dedup.segments",
            "needs": {"documents": "split.train", "against": "old"},
            "with": {"keep": "longest"},
        },
    ]
    mill.run(steps)
    before = fates_of(mill, old)[0].id
    fates = fates_of(mill, new)
    told = [dict(fate.decisions[-1].columns).get("stays in") for fate in fates]
    assert told == [fates[2].id, before, None, fates[2].id]
    for name in Store(mill.store_uri).storage.list("commits/"):
        Store(mill.store_uri).storage.delete(name)
    assert [dict(fate.decisions[-1].columns) for fate in fates_of(mill, new)] == [
        {"cut 0-5": "short"},
        {"cut 0-4": "seen"},
        {},
        {"cut 2-7": "short"},
    ]
