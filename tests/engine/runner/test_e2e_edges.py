"""The edges of data: nothing at all, nothing left, other columns than expected, and bytes that change underfoot."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpusmill.dataset.manifest import Dataset
from corpusmill.dataset.store import Store
from corpusmill.errors import ChecksumError, InputError, SpecError


def read(**options: Any) -> dict[str, Any]:
    """A reader of everything under data/."""
    return {"id": "read", "uses": "read.jsonl", "with": {"paths": "data/*", **options}}


@pytest.mark.parametrize("shard", ["1 KB", "64 MB"])
def test_empty_files_are_files_without_documents(mill: Any, shard: str) -> None:
    """Plain and compressed: a dataset of no rows with all columns is published and passed on."""
    mill.jsonl("data/empty.jsonl", [])
    (mill.root / "data/empty.jsonl.gz").write_bytes(gzip.compress(b""))
    steps = [
        read(shard=shard),
        {"id": "number", "uses": "annotate.random"},
        {"id": "near", "uses": "dedup.minhash"},
        {"id": "split", "uses": "split.by-hash", "with": {"train": 0.5, "test": 0.5}},
        {"id": "export", "uses": "write.parquet", "with": {"path": str(mill.root / "out"), "replace": True}},
    ]
    outputs = mill.run(steps).outputs["outputs"]
    dataset = Dataset.open(Store(mill.store_uri), outputs["split"]["digest"])
    assert dataset.rows == 0
    assert set(dataset.schema.names) == {"id", "text", "file", "offset", "source", "number", "split"}
    mill.jsonl("data/some.jsonl", ["a text", "another text"])
    assert mill.run(steps).outputs["outputs"]["split"]["rows"] == 2


def test_a_filter_that_keeps_nothing_publishes_an_empty_dataset(mill: Any) -> None:
    """Zero rows with their schema; every row is in the ledger; steps behind it run on nothing."""
    mill.jsonl("data/a.jsonl", mill.texts(20))
    steps = [
        read(),
        {"id": "none", "uses": "filter.short", "with": {"most": 1}},
        {"id": "exact", "uses": "dedup.exact"},
        {"id": "export", "uses": "write.parquet", "with": {"path": str(mill.root / "out")}},
    ]
    outputs = mill.run(steps).outputs
    assert outputs["outputs"]["exact"]["rows"] == 0
    assert outputs["counts"]["none"]["removed"] == {"characters": 20}
    assert len(mill.table(outputs["ledger"][0]["path"])) == 20
    files = list((mill.root / "out").rglob("*.parquet"))
    assert sum(pq.read_metadata(path).num_rows for path in files) == 0
    assert pq.read_schema(files[0]).names[:2] == ["id", "text"]


def test_no_matching_file_is_an_error(mill: Any) -> None:
    """A glob that finds nothing is a typing error, not an empty corpus, also when the files go after the check."""
    with pytest.raises(SpecError, match="data/"):
        mill.run([read()])
    path = mill.jsonl("data/a.jsonl", ["text"])
    from corpusmill.plan.check import check
    from corpusmill.runner.driver import RunOptions, run_spec

    checked = check(mill.spec([read()]))
    path.unlink()
    with pytest.raises(InputError, match="no file matches"):
        run_spec(checked, RunOptions(store=mill.store_uri, debug=True))


def test_a_column_of_another_type_in_the_second_file_is_quarantined(mill: Any) -> None:
    """Types hold for all files; a row that breaks them is quarantined with both types and where it is."""
    mill.jsonl("data/a.jsonl", [{"text": f"row {row}", "score": row} for row in range(5)])
    mill.jsonl("data/b.jsonl", [{"text": "whole", "score": 3}, {"text": "wrong", "score": "three"}])
    steps = [read(columns=["text", "score"], types={"score": "int"})]
    outputs = mill.run(steps, limits={"max_bad_fraction": 0.5}).outputs
    (row,) = mill.quarantine(outputs)
    assert (row["file"], row["reason"]) == ("b.jsonl", "type-conflict")
    assert row["offset"] == len(orjson.dumps({"text": "whole", "score": 3})) + 1
    assert "int" in row["detail"]
    assert "string" in row["detail"]
    assert [one["score"] for one in mill.rows(outputs["outputs"]["read"]["digest"])] == [0, 1, 2, 3, 4, 3]


def test_a_missing_column_is_null(mill: Any) -> None:
    """A file without a column that others have gives nulls."""
    mill.jsonl("data/a.jsonl", [{"text": "one", "score": 1}])
    mill.jsonl("data/b.jsonl", [{"text": "two"}])
    outputs = mill.run([read(columns=["text", "score"])]).outputs
    assert [one["score"] for one in mill.rows(outputs["outputs"]["read"]["digest"])] == [1, None]


def test_parquet_files_of_widening_types_are_one_dataset(mill: Any) -> None:
    """int32 and int64 become int64; a column that one file lacks is null there; a text of ints is damage."""
    (mill.root / "data").mkdir()
    tables = {
        "a": pa.table({"text": ["one"], "score": pa.array([1], pa.int32())}),
        "b": pa.table({"text": ["two"], "score": pa.array([2], pa.int64())}),
        "c": pa.table({"text": ["three"]}),
    }
    for name, table in tables.items():
        pq.write_table(table, mill.root / f"data/{name}.parquet")
    step = {"id": "read", "uses": "read.parquet", "with": {"paths": "data/*", "columns": ["text", "score"]}}
    outputs = mill.run([step]).outputs
    assert [one["score"] for one in mill.rows(outputs["outputs"]["read"]["digest"])] == [1, 2, None]
    pq.write_table(pa.table({"text": [1, 2]}), mill.root / "data/d.parquet")
    with pytest.raises(InputError, match=r"d\.parquet"):
        mill.run([step])


def test_input_that_changed_between_runs_is_read_again(mill: Any) -> None:
    """Also where its size and time of writing are as before: what it looks like is not all that is compared."""
    path = mill.jsonl("data/a.jsonl", ["the old text"] * 3)
    steps = [read(), mill.mark("one")]
    mill.run(steps[:1], store=str(mill.root / "other"))
    status = os.stat(path)
    mill.run(steps, store=str(mill.root / "other"))
    path.write_bytes(path.read_bytes().replace(b"old", b"new"))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    steps[1]["with"]["word"] = "fresh"
    outputs = mill.run(steps, store=str(mill.root / "other")).outputs["outputs"]
    assert mill.rows(outputs["one"]["digest"], str(mill.root / "other"))[0]["text"] == "the new text MARKfresh"


def flip(path: Path) -> None:
    """Change one byte in the middle of a file."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def damage_part(mill: Any, outputs: dict[str, Any]) -> Path:
    dataset = Dataset.open(Store(mill.store_uri), outputs["one"]["digest"])
    return Path(mill.store_uri) / dataset.entries[0].part.file.name


def damage_sketch(mill: Any, outputs: dict[str, Any]) -> Path:
    records = [orjson.loads(path.read_bytes()) for path in Path(mill.store_uri).glob("commits/*/*.json")]
    checksum = next(record["keys"][0] for record in records if "keys" in record)
    return next(Path(mill.store_uri).glob(f"files/*/{checksum}.arrow"))


def damage_tokenizer(mill: Any, outputs: dict[str, Any]) -> Path:
    return Path(outputs["words"]["path"]) / "tokenizer.json"


DAMAGE: dict[str, Callable[[Any, dict[str, Any]], Path]] = {
    "part": damage_part,
    "sketch": damage_sketch,
    "tokenizer": damage_tokenizer,
}


@pytest.mark.parametrize("what", DAMAGE)
def test_a_flipped_byte_in_the_store_is_found_and_made_again(mill: Any, what: str) -> None:
    """The run that meets it says so, makes it again, and ends as if nothing had been."""
    mill.jsonl("data/a.jsonl", mill.texts(60))

    def steps(most: int, threshold: float, window: int) -> list[dict[str, Any]]:
        return [
            read(),
            mill.mark("one"),
            {"id": "near", "uses": "dedup.minhash", "with": {"threshold": threshold, "bands": 14, "rows": 8}},
            {"id": "short", "uses": "filter.short", "with": {"most": most}},
            {"id": "words", "uses": "tokenizer.bpe", "needs": "one", "with": {"size": 300}},
            {
                "id": "tokens",
                "uses": "tokens.pack",
                "needs": {"documents": "one", "tokenizer": "words"},
                "with": {"window": window},
            },
        ]

    outputs = mill.run(steps(900, 0.7, 16), executor="inline").outputs["outputs"]
    path = DAMAGE[what](mill, outputs)
    whole = path.read_bytes()
    flip(path)
    # Everything that reads the damaged file anew is changed, so that nothing of it is cached.
    result = mill.run(steps(800, 0.8, 32), executor="inline")
    assert [notice for notice in result.notices if path.name in notice and "is done again" in notice]
    mended = result.outputs["outputs"]
    assert path.read_bytes() == whole
    fresh = mill.run(steps(800, 0.8, 32), executor="inline", store=str(mill.root / "fresh")).outputs["outputs"]
    assert {step: one["digest"] for step, one in mended.items()} == {step: one["digest"] for step, one in fresh.items()}


def test_a_torn_commit_record_counts_as_none(mill: Any) -> None:
    """A record that is not whole JSON is made again."""
    mill.jsonl("data/a.jsonl", mill.texts(10))
    steps = [read(), mill.mark("one")]
    before = mill.run(steps).outputs["outputs"]
    for path in Path(mill.store_uri).glob("commits/*/*.json"):
        path.write_bytes(path.read_bytes()[:40])
    mill.calls()
    assert mill.run(steps).outputs["outputs"] == before
    assert mill.calls()["one"] == 1


def test_a_damaged_copy_in_a_cache_is_fetched_again(mill: Any) -> None:
    """On an object store the copy on this machine may be at fault while the object is whole."""
    mill.jsonl("data/a.jsonl", mill.texts(10))
    store = f"object://{mill.root / 'objects'}"
    digest = mill.run([read()], store=store).outputs["outputs"]["read"]["digest"]
    dataset = Dataset.open(Store(store), digest)
    rows = mill.rows(digest, store)
    file = dataset.entries[0].part.file
    cached = Store(store).path(file)
    assert not cached.is_relative_to(mill.root)
    flip(cached)
    assert mill.rows(digest, store) == rows


def test_a_damaged_object_is_found(mill: Any) -> None:
    """An object that differs from its name is an error, not rows."""
    mill.jsonl("data/a.jsonl", mill.texts(10))
    root = mill.root / "objects"
    digest = mill.run([read()], store=f"object://{root}").outputs["outputs"]["read"]["digest"]
    store = Store(f"object://{root}")
    file = Dataset.open(store, digest).entries[0].part.file
    store.path(file).unlink()
    flip(next(path for path in root.iterdir() if file.checksum in path.name))
    with pytest.raises(ChecksumError, match=file.checksum):
        mill.rows(digest, store.uri)
