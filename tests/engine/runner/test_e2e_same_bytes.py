"""Same spec, same bytes: whatever the batches, the executor, the storage, and however often it is run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


def chain(mill: Any) -> list[dict[str, Any]]:
    """Write data of three files and return steps of every row-wise kind with both deduplicators."""
    for name, seed in (("a", 1), ("b", 2), ("c", 3)):
        mill.jsonl(f"data/{name}.jsonl", mill.texts(120, seed))
    (mill.root / "lexicon.tsv").write_text("river\tstream,brook\nold\taged\nbread\tloaf\n")
    return [
        {"id": "read", "uses": "read.jsonl", "with": {"paths": "data/*.jsonl", "shard": 9000}},
        {"id": "clean", "uses": "clean.unicode"},
        {"id": "length", "uses": "filter.short", "with": {"most": 300, "signals": "keep"}},
        {"id": "number", "uses": "annotate.random"},
        {"id": "exact", "uses": "dedup.exact"},
        {"id": "near", "uses": "dedup.minhash", "with": {"threshold": 0.7}},
        {"id": "more", "uses": "augment.synonyms", "with": {"lexicon": "lexicon.tsv", "rate": 0.5}},
        {"id": "split", "uses": "split.by-hash", "with": {"train": 0.8, "test": 0.2}},
    ]


@pytest.fixture(scope="module")
def reference(new_mill: Any) -> tuple[Any, list[dict[str, Any]], dict[str, str]]:
    """A mill, its steps, and the store's tree after a run in process with batches of 8 MB."""
    mill = new_mill()
    steps = chain(mill)
    result = mill.run(steps, run={"batch_bytes": "8 MB"})
    counts = result.outputs["counts"]
    assert counts["length"]["removed"]
    assert counts["exact"]["removed"]
    assert counts["near"]["removed"]
    assert counts["more"]["added"]
    return mill, steps, mill.tree()


def test_small_batches_give_the_same_store(reference: Any) -> None:
    """Batches of 4 KB and of 8 MB leave the same names with the same bytes."""
    mill, steps, expected = reference
    other = str(mill.root / "other")
    mill.run(steps, store=other, run={"batch_bytes": "4 KB"})
    assert mill.tree(other) == expected


def test_the_inline_executor_gives_the_same_store(reference: Any) -> None:
    """A forked worker leaves the same names with the same bytes as the driver itself."""
    mill, steps, expected = reference
    other = str(mill.root / "forked")
    mill.run(steps, store=other, executor="inline")
    assert mill.tree(other) == expected


def test_an_object_store_gives_the_same_names(reference: Any) -> None:
    """A store without rename holds the same objects under the same names."""
    mill, steps, expected = reference
    other = f"object://{mill.root / 'objects'}"
    mill.run(steps, store=other)
    assert mill.tree(other) == expected


def test_another_folder_gives_the_same_store(reference: Any, new_mill: Any) -> None:
    """Nothing in the store says where spec and data lay: a copy elsewhere gives the same bytes."""
    _, _, expected = reference
    elsewhere = new_mill()
    elsewhere.run(chain(elsewhere))
    assert elsewhere.tree() == expected


def test_no_file_of_the_store_holds_a_path_of_this_machine(reference: Any) -> None:
    """Commit records and manifests are pure functions of their inputs: no absolute path is in them."""
    mill, _, expected = reference
    for name in expected:
        assert str(mill.root).encode() not in (Path(mill.store_uri) / name).read_bytes(), name
