"""Routes of a replay: removed outputs, splits, derived rows, ranges of big files, readers of other positions."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpusmill.plan.check import check
from corpusmill.runner.decision import Fate, StepDecision
from corpusmill.runner.driver import RunOptions, run_spec
from corpusmill.runner.records import RunRecord, latest_run
from corpusmill.runner.replay import replay
from corpusmill.runner.trace import trace

PLUGIN = '''\
"""A step with a tokenizer through a port."""

import pyarrow as pa

from corpusmill import Annotator, Documents, Tokenizer, hookimpl


class Pieces(Annotator):
    """Count pieces of text."""

    inputs = {"documents": Documents, "tokenizer": Tokenizer}

    def adds(self):
        return {"pieces": pa.int64()}

    def setup(self):
        from tokenizers import Tokenizer

        self.tokenizer = Tokenizer.from_file(str(self.context.inputs["tokenizer"].path / "tokenizer.json"))

    def annotate(self, batch):
        texts = self.texts(batch).to_pylist()
        return {"pieces": pa.array([len(self.tokenizer.encode(text).ids) for text in texts])}


@hookimpl
def corpusmill_register(registry):
    registry.annotator("pieces", "pieces:Pieces", "Count pieces of text.")
'''


def run(folder: Path, *steps: str, name: str = "tiny", plugins: str = "") -> RunRecord:
    lines = "".join(f"  - {{{step}}}\n" for step in steps)
    (folder / "spec.yaml").write_text(f"corpusmill: 1\nname: {name}\nplugins: [{plugins}]\nsteps:\n{lines}")
    run_spec(check(folder / "spec.yaml"), RunOptions(store=str(folder / "store"), debug=True))
    return latest_run(folder / "store", name)


def write_rows(path: Path, texts: list[str]) -> list[int]:
    """Write one JSON object a line; return the byte where each starts."""
    lines = [json.dumps({"text": text}) + "\n" for text in texts]
    path.write_text("".join(lines))
    return [sum(map(len, lines[:row])) for row in range(len(lines))]


def rows(record: RunRecord, step: str) -> list[dict[str, Any]]:
    from corpusmill.dataset.manifest import Dataset
    from corpusmill.dataset.store import Store

    dataset = Dataset.open(Store(record.store), record.outputs["outputs"][step]["digest"])
    return [row for batch in dataset.batches() for row in batch.to_pylist()]


def steps(fate: Fate) -> list[tuple[str, str]]:
    return [(one.step, one.verdict) for one in fate.decisions]


def notes(fate: Fate) -> list[StepDecision]:
    return [one for one in fate.decisions if one.note]


def test_a_document_can_go_on_from_what_a_step_removed(tmp_path: Path) -> None:
    """The way leads through `long.removed`: removed there, measured again, and kept further on."""
    offsets = write_rows(tmp_path / "a.jsonl", ["tiny", "a text that is long enough"])
    record = run(
        tmp_path,
        "id: pages, uses: read.jsonl, with: {paths: a.jsonl}",
        "id: long, uses: filter.length, with: {min_chars: 10}",
        "id: rest, uses: clean.unicode, needs: long.removed",
        "id: again, uses: filter.length, with: {min_chars: 1}",
    )
    fate = trace(record, f"a.jsonl@{offsets[0]}", replay)
    assert steps(fate) == [("pages", "kept"), ("long", "removed"), ("rest", "kept"), ("again", "kept")]
    assert [fate.decisions[1].value, notes(fate)] == [4.0, []]


def test_a_union_takes_the_way_through_the_right_half(tmp_path: Path) -> None:
    """Two selections of the same parts are told apart: the row counts where it is selected."""
    same = "one and the same text of two documents"
    offsets = write_rows(tmp_path / "a.jsonl", [same, same])
    record = run(
        tmp_path,
        "id: pages, uses: read.jsonl, with: {paths: a.jsonl}",
        "id: exact, uses: dedup.exact",
        "id: all, uses: clean.unicode, needs: [exact, exact.removed]",
        "id: again, uses: filter.length, with: {min_chars: 1}",
    )
    kept, removed = (trace(record, f"a.jsonl@{offset}", replay) for offset in offsets)
    assert steps(kept)[1] == ("exact", "kept")
    assert steps(removed)[1:3] == [("exact", "removed"), ("all", "kept")]


def test_a_derived_document_is_followed_from_its_parent(tmp_path: Path) -> None:
    """A copy made by an augmenter is found by its own id: before it was made, the way is its parent's."""
    write_rows(tmp_path / "a.jsonl", ["the big house is big", "nothing to replace here"])
    (tmp_path / "words.tsv").write_text("big\tlarge\n")
    record = run(
        tmp_path,
        "id: pages, uses: read.jsonl, with: {paths: a.jsonl}",
        "id: more, uses: augment.synonyms, with: {lexicon: words.tsv, rate: 1}",
        "id: long, uses: filter.length, with: {min_chars: 1}",
    )
    copy = next(row for row in rows(record, "long") if row["augmented_from"])
    fate = trace(record, copy["id"], replay)
    assert steps(fate) == [("pages", "kept"), ("more", "changed"), ("long", "kept")]
    assert fate.decisions[1].after == "the large house is large"
    assert notes(fate) == []


def test_a_derived_document_in_a_later_pass_is_followed_too(tmp_path: Path) -> None:
    """The copy stands in the dataset between the passes; the pass before is replayed from its parent's file."""
    write_rows(tmp_path / "a.jsonl", ["the big house is big"])
    (tmp_path / "words.tsv").write_text("big\tlarge\n")
    record = run(
        tmp_path,
        "id: pages, uses: read.jsonl, with: {paths: a.jsonl}, keep: true",
        "id: more, uses: augment.synonyms, with: {lexicon: words.tsv, rate: 1}, keep: true",
        "id: short, uses: filter.length, with: {max_chars: 21}",
    )
    copy = next(row for row in rows(record, "more") if row["augmented_from"])
    fate = trace(record, copy["id"], replay)
    assert steps(fate) == [("pages", "kept"), ("more", "changed"), ("short", "removed")]
    assert notes(fate) == []


def test_one_split_is_followed(tmp_path: Path) -> None:
    """A step that takes one label continues the way of the documents with that label."""
    offsets = write_rows(tmp_path / "a.jsonl", [f"document number {number}" for number in range(8)])
    record = run(
        tmp_path,
        "id: pages, uses: read.jsonl, with: {paths: a.jsonl}",
        "id: split, uses: split.by-hash, with: {train: 0.5, test: 0.5}",
        "id: some, uses: clean.unicode, needs: split.test",
    )
    label = {row["offset"]: row["split"] for row in rows(record, "split")}
    ways = {offset: [one for one, _ in steps(trace(record, f"a.jsonl@{offset}", replay))] for offset in offsets}
    assert set(label.values()) == {"train", "test"}
    assert all(way[:2] == ["pages", "split"] for way in ways.values())
    assert {offset for offset, way in ways.items() if way[-1] == "some"} == {o for o in offsets if label[o] == "test"}


@pytest.mark.parametrize("row", [0, 7, 19])
def test_a_document_of_a_file_cut_in_ranges_is_found(tmp_path: Path, row: int) -> None:
    """A big file is many units of work: the range that holds the offset is read."""
    offsets = write_rows(tmp_path / "a.jsonl", [f"document number {number}" for number in range(20)])
    record = run(tmp_path, "id: pages, uses: read.jsonl, with: {paths: a.jsonl, shard: 100}", "uses: clean.unicode")
    fate = trace(record, f"a.jsonl@{offsets[row]}", replay)
    assert (steps(fate), notes(fate)) == ([("pages", "kept"), ("clean-unicode", "kept")], [])


def test_compressed_lines_are_found_by_their_place_in_the_stream(tmp_path: Path) -> None:
    """Positions of a gzip file count decompressed bytes, which may lie beyond the stored size."""
    offsets = write_rows(tmp_path / "a.jsonl", [f"document {'x' * 500} {number}" for number in range(50)])
    path = tmp_path / "a.jsonl"
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(path.read_bytes()))
    record = run(tmp_path, "id: pages, uses: read.jsonl, with: {paths: a.jsonl.gz}", "uses: clean.unicode")
    fate = trace(record, f"a.jsonl.gz@{offsets[49]}", replay)
    assert offsets[49] > (tmp_path / "a.jsonl.gz").stat().st_size
    assert (steps(fate)[0], notes(fate)) == (("pages", "kept"), [])


def test_rows_of_parquet_are_found_by_number(tmp_path: Path) -> None:
    """Where a reader counts row groups, positions are row numbers; ids may come from a column."""
    table = pa.table(
        {"text": [f"document {number}" for number in range(30)], "key": [f"key-{n:08}" for n in range(30)]}
    )
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=7)
    record = run(tmp_path, "id: pages, uses: read.parquet, with: {paths: a.parquet, id: key}", "uses: clean.unicode")
    fate = trace(record, "key-00000017", replay)
    assert (fate.offset, steps(fate)[0], notes(fate)) == (17, ("pages", "kept"), [])


def test_a_near_duplicate_tells_how_alike(tmp_path: Path) -> None:
    """The ledger of MinHash gives the similarity beside the threshold, and the document that stayed."""
    words = " ".join(f"word{chr(97 + number // 26)}{chr(97 + number % 26)}" for number in range(300))
    offsets = write_rows(tmp_path / "a.jsonl", [words, words + " more"])
    record = run(
        tmp_path,
        "id: pages, uses: read.jsonl, with: {paths: a.jsonl}",
        "id: near, uses: dedup.minhash, with: {threshold: 0.7, keep: first}",
    )
    kept, gone = (trace(record, f"a.jsonl@{offset}", replay) for offset in offsets)
    last = gone.decisions[-1]
    assert (last.verdict, last.threshold, last.other) == ("removed", 0.7, kept.id)
    assert 0.9 < (last.value or 0.0) <= 1.0


def test_a_step_with_a_port_gets_the_run_s_artifact(tmp_path: Path) -> None:
    """What another step left is bound again by its digest, though the file it came from is gone."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    tokenizer = Tokenizer(WordLevel({"?": 0, "sea": 1}, unk_token="?"))
    tokenizer.pre_tokenizer = Whitespace()
    (tmp_path / "words").mkdir()
    tokenizer.save(str(tmp_path / "words" / "tokenizer.json"))
    (tmp_path / "pieces.py").write_text(PLUGIN)
    write_rows(tmp_path / "a.jsonl", ["the sea is wide"])
    record = run(
        tmp_path,
        "id: pages, uses: read.jsonl, with: {paths: a.jsonl}",
        "id: words, uses: load.tokenizer, with: {path: words}",
        "id: pieces, uses: annotate.pieces, needs: {documents: pages, tokenizer: words}",
        plugins="./pieces.py",
    )
    (tmp_path / "words" / "tokenizer.json").unlink()
    fate = trace(record, "a.jsonl@0", replay)
    assert [fate.decisions[-1].columns, notes(fate)] == [(("pieces", 4),), []]


def test_a_way_that_began_in_another_run_starts_at_its_dataset(tmp_path: Path) -> None:
    """A dataset of another run is where this run's own steps begin."""
    write_rows(tmp_path / "a.jsonl", ["the sea is wide"])
    run(tmp_path, "id: pages, uses: read.jsonl, with: {paths: a.jsonl}", name="earlier")
    record = run(
        tmp_path,
        "id: tidy, uses: clean.unicode, needs: {documents: 'run:earlier/pages'}",
        "id: long, uses: filter.length, with: {min_chars: 100}",
    )
    fate = trace(record, "a.jsonl@0", replay)
    assert (steps(fate), notes(fate)) == ([("tidy", "kept"), ("long", "removed")], [])
    assert fate.decisions[-1].signals[0].value == 15.0


def test_a_run_on_an_object_store_is_replayed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts are fetched through the storage's cache; the run's own record lies on this machine."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    write_rows(tmp_path / "a.jsonl", ["the sea is wide", "the sea is wide"])
    steps_of = ["id: pages, uses: read.jsonl, with: {paths: a.jsonl}", "id: exact, uses: dedup.exact"]
    run(tmp_path, *steps_of)
    uri = f"object://{tmp_path}/objects"
    run_spec(check(tmp_path / "spec.yaml"), RunOptions(store=uri, debug=True))
    fate = trace(latest_run(uri, "tiny"), "a.jsonl@0", replay)
    assert (steps(fate), notes(fate)) == ([("pages", "kept"), ("exact", "kept")], [])
    assert fate.decisions[-1].detail == "1 duplicate of it removed"
