"""What a step may need: named outputs, unions, one split, outputs of other runs and digests in the store."""

from __future__ import annotations

from typing import Any

import pytest

from corpusmill.errors import SpecError, UsageError


def read(name: str = "read", paths: str = "data/*") -> dict[str, Any]:
    """A reader."""
    return {"id": name, "uses": "read.jsonl", "with": {"paths": paths}}


def texts(mill: Any, outputs: dict[str, Any], step: str) -> list[str]:
    """Return the texts of a step's output."""
    return [row["text"] for row in mill.rows(outputs["outputs"][step]["digest"])]


def test_the_removed_rows_of_a_filter_are_a_dataset(mill: Any) -> None:
    """Every removed document, as the filter saw it, in input order, over several shards."""
    for name in "ab":
        mill.jsonl(f"data/{name}.jsonl", [f"{name} " + "x" * length for length in range(40)])
    steps = [
        {**read(), "with": {"paths": "data/*", "shard": "1 KB"}},
        mill.mark("one"),
        {"id": "short", "uses": "filter.short", "with": {"most": 30}},
        mill.mark("two"),
        {**mill.mark("gone"), "needs": "short.removed"},
    ]
    outputs = mill.run(steps).outputs
    gone, kept = texts(mill, outputs, "gone"), texts(mill, outputs, "two")
    assert len(gone) + len(kept) == 80
    assert [text.removesuffix(" MARKgone") for text in gone] == [
        f"{name} {'x' * length} MARKone" for name in "ab" for length in range(40) if length + 10 > 30
    ]
    assert outputs["outputs"]["short.removed"]["rows"] == len(gone)


def test_removed_rows_and_clusters_of_a_deduplicator(mill: Any) -> None:
    """`removed` holds the duplicates with their columns, `clusters` each one's kept document."""
    mill.jsonl("data/a.jsonl", ["first", "second", "first", "third", "second", "first"])
    steps = [
        read(),
        {"id": "exact", "uses": "dedup.exact"},
        {**mill.mark("gone"), "needs": "exact.removed"},
        {"id": "pairs", "uses": "write.jsonl", "needs": "exact.clusters", "with": {"path": str(mill.root / "pairs")}},
    ]
    outputs = mill.run(steps).outputs
    assert texts(mill, outputs, "gone") == ["first MARKgone", "second MARKgone", "first MARKgone"]
    ids = {row["offset"]: row["id"] for row in mill.rows(outputs["outputs"]["read"]["digest"])}
    order = [ids[offset] for offset in sorted(ids)]
    clusters = mill.rows(outputs["outputs"]["exact.clusters"]["digest"])
    assert [(row["id"], row["cluster"]) for row in clusters] == [
        (order[2], order[0]),
        (order[4], order[1]),
        (order[5], order[0]),
    ]


def test_a_union_keeps_list_order_and_fills_missing_columns(mill: Any) -> None:
    """Rows of the first input, then of the second; a column that one lacks is null there."""
    mill.jsonl("a/a.jsonl", ["one", "two"])
    mill.jsonl("b/b.jsonl", ["three"])
    steps = [
        read("a", "a/*"),
        {"id": "numbered", "uses": "annotate.random"},
        read("b", "b/*"),
        {**mill.mark("all"), "needs": ["b", "numbered"]},
    ]
    rows = mill.rows(mill.run(steps).outputs["outputs"]["all"]["digest"])
    assert [row["text"].split()[0] for row in rows] == ["three", "one", "two"]
    assert [row["number"] is None for row in rows] == [True, False, False]


@pytest.fixture
def split(mill: Any) -> tuple[Any, list[dict[str, Any]]]:
    """A mill and steps up to a split of deduplicated documents."""
    mill.jsonl("data/a.jsonl", mill.texts(80))
    shares = {"train": 0.6, "validation": 0.2, "test": 0.2}
    return mill, [read(), {"id": "split", "uses": "split.by-hash", "with": shares}]


def labelled(mill: Any, outputs: dict[str, Any], label: str) -> list[str]:
    rows = mill.rows(outputs["outputs"]["split"]["digest"])
    return [row["text"] for row in rows if row["split"] == label]


def test_one_split_goes_into_a_pass(split: Any) -> None:
    """`X.train` is the rows of that label and no other."""
    mill, steps = split
    outputs = mill.run([*steps, {**mill.mark("one"), "needs": "split.train"}]).outputs
    train = labelled(mill, outputs, "train")
    assert 10 < len(train) < 80
    assert texts(mill, outputs, "one") == [f"{text} MARKone" for text in train]


def test_one_split_goes_into_a_deduplicator_and_an_export(split: Any) -> None:
    """Only rows of the label are compared, kept and written."""
    import pyarrow.parquet as pq

    mill, steps = split
    more = [
        {"id": "exact", "uses": "dedup.exact", "needs": "split.test"},
        {"id": "out", "uses": "write.parquet", "needs": "split.test", "with": {"path": str(mill.root / "out")}},
    ]
    outputs = mill.run([*steps, *more]).outputs
    test = labelled(mill, outputs, "test")
    assert texts(mill, outputs, "exact") == list(dict.fromkeys(test))
    assert outputs["counts"]["exact"]["in"] == len(test)
    (path,) = (mill.root / "out").rglob("*.parquet")
    assert pq.read_table(path)["text"].to_pylist() == test
    assert path.name.startswith("test-")


def test_one_split_trains_a_tokenizer_and_is_packed(split: Any) -> None:
    """The tokenizer of `split.train` is that of the same rows alone; `tokens` keeps the labels."""
    mill, steps = split
    more = [
        {"id": "words", "uses": "tokenizer.bpe", "needs": "split.train", "with": {"size": 300}},
        {"id": "alone", **{key: value for key, value in mill.mark("x").items() if key != "id"}, "needs": "split.train"},
        {
            "id": "tokens",
            "uses": "tokens.pack",
            "needs": {"documents": "split", "tokenizer": "words"},
            "with": {"window": 16},
        },
    ]
    outputs = mill.run([*steps, *more]).outputs
    splits = outputs["outputs"]["tokens"]["splits"]
    assert set(splits) == {"train", "validation", "test"}
    assert splits["train"]["documents"] == len(labelled(mill, outputs, "train"))
    assert splits["train"]["text_bytes"] == sum(len(text.encode()) for text in labelled(mill, outputs, "train"))
    only = mill.root / "only"
    only.mkdir()
    mill.jsonl("only/a.jsonl", labelled(mill, outputs, "train"))
    again = mill.run(
        [read("r", "only/*"), {"id": "words", "uses": "tokenizer.bpe", "with": {"size": 300}}], name="again"
    ).outputs
    assert again["outputs"]["words"]["digest"] == outputs["outputs"]["words"]["digest"]


def test_other_runs_and_digests_are_inputs(split: Any) -> None:
    """`run:NAME/step`, `run:NAME@TIME/step`, a split of it and `store:DIGEST` mean what was published there."""
    mill, steps = split
    first = mill.run(steps, name="base")
    stamp = first.folder.name
    digest = first.outputs["outputs"]["split"]["digest"]
    expected = [f"{row['text']} MARKx" for row in mill.rows(digest)]
    for ref in ("run:base/split", f"run:base@{stamp}/split", f"store:{digest}"):
        step = {**mill.mark("x"), "needs": ref}
        outputs = mill.run([step], name="other").outputs
        assert texts(mill, outputs, "x") == expected, ref
    outputs = mill.run([{**mill.mark("x"), "needs": "run:base/split.train"}], name="other").outputs
    assert len(texts(mill, outputs, "x")) == len(labelled(mill, first.outputs, "train"))
    with pytest.raises(UsageError, match=r"run:base/split\.tran") as caught:
        mill.run([{**mill.mark("x"), "needs": "run:base/split.tran"}], name="other")
    assert "train" in str(caught.value)


def test_a_named_output_of_another_run_is_an_input(mill: Any) -> None:
    """`run:NAME/step.removed` is the removed rows of that run."""
    mill.jsonl("data/a.jsonl", ["a", "b", "a"])
    mill.run([read(), {"id": "exact", "uses": "dedup.exact"}], name="base")
    outputs = mill.run([{**mill.mark("x"), "needs": "run:base/exact.removed"}], name="other").outputs
    assert texts(mill, outputs, "x") == ["a MARKx"]


def test_earlier_documents_rank_first_and_stay_out(mill: Any) -> None:
    """`against:` a run of another corpus removes what is in it, and adds nothing of it."""
    mill.jsonl("old/a.jsonl", ["known", "old only"])
    mill.jsonl("new/a.jsonl", ["new", "known", "new"])
    mill.run([read("read", "old/*"), {"id": "exact", "uses": "dedup.exact"}], name="base")
    steps = [
        read("read", "new/*"),
        {"id": "exact", "uses": "dedup.exact", "needs": {"documents": "read", "against": ["run:base/exact"]}},
    ]
    outputs = mill.run(steps, name="later").outputs
    assert texts(mill, outputs, "exact") == ["new"]
    assert outputs["counts"]["exact"]["in"] == 3


def test_a_column_that_holds_no_text_is_refused(mill: Any) -> None:
    """By the check where it knows the types, by the run for documents of another: kernels would read at random."""
    mill.jsonl("numbers.jsonl", [{"text": "a", "number": 1}, {"text": "b", "number": 2}])
    reader = {"id": "read", "uses": "read.jsonl", "with": {"paths": "numbers.jsonl", "columns": ["text", "number"]}}
    for uses in ("dedup.exact", "clean.unicode"):
        with pytest.raises(SpecError, match=f"column 'number' is int64, and {uses} works on text"):
            mill.run([reader, {"id": "step", "uses": uses, "column": "number"}])
    mill.run([reader], name="base")
    for uses in ("dedup.exact", "clean.unicode"):
        with pytest.raises(UsageError, match=f"column 'number' is int64, and {uses} works on text") as caught:
            mill.run([{"id": "step", "uses": uses, "needs": "run:base/read", "column": "number"}], name="other")
        assert caught.value.where == "step step"
        assert "text" in str(caught.value.expected)
