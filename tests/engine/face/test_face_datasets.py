"""`corpusmill.open` and its kin: references, batches, splits, and the same rows in every library's form."""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import corpusmill
from corpusmill.dataset.manifest import Dataset as Stored
from corpusmill.dataset.manifest import publish_dataset
from corpusmill.face.running import Run


@pytest.fixture
def dataset(done: Run) -> corpusmill.Dataset:
    return done.dataset("split")


def store(done: Run) -> str:
    return done.store


def test_references_digests_and_paths_mean_the_same(done: Run, dataset: corpusmill.Dataset) -> None:
    """By run, by run and time, by digest, the start of one, `store:`, and the folder in the store."""
    references = [
        "run:reviews/split",
        f"run:reviews@{done.folder.name}/split",
        dataset.digest,
        dataset.digest[:10],
        f"store:{dataset.digest}",
        Path(done.store) / "datasets" / dataset.digest,
        Path(done.store) / "datasets" / dataset.digest / "manifest.json",
    ]
    opened = [corpusmill.open(one, store=done.store) for one in references]
    assert {one.digest for one in opened} == {dataset.digest}


def test_splits_and_outputs_are_part_of_a_reference(done: Run, dataset: corpusmill.Dataset) -> None:
    """`.train` narrows to a label, `.removed` names another output."""
    train = corpusmill.open("run:reviews/split.train", store=done.store)
    assert len(train) == dataset.splits["train"] == train.to_arrow().num_rows
    assert set(train.to_arrow()["split"].to_pylist()) == {"train"}
    assert len(corpusmill.open(f"store:{dataset.digest}.test", store=done.store)) == dataset.splits["test"]
    assert len(corpusmill.open("run:reviews/exact.removed", store=done.store)) == len(done.dataset("exact.removed"))


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("run:reviews/splt", "corpusmill show run:reviews"),
        ("run:review/split", "did you mean 'reviews'"),
        ("run:reviews/split.trian", "did you mean 'train'"),
        ("run:reviews/split.train.more", "names no output or split"),
        ("run:reviews/words", r"corpusmill.open_artifact\('run:reviews/words'\)"),
        ("run:reviews/tokens", r"corpusmill.open_tokens\('run:reviews/tokens'\)"),
        ("run:reviews/out", "datasets.load_dataset"),
        ("reviews", "nothing to open at 'reviews'"),
        ("0123456789abcdef", "nothing in the store fits"),
    ],
)
def test_what_is_not_there_is_told_with_what_to_do(done: Run, reference: str, words: str) -> None:
    """A CorpusmillError whose hint leads on."""
    with pytest.raises(corpusmill.CorpusmillError, match=words):
        corpusmill.open(reference, store=done.store)


def test_batches_are_the_table(dataset: corpusmill.Dataset) -> None:
    """Length, schema and rows agree, whether streamed or taken whole; `select` narrows and orders columns."""
    table = dataset.to_arrow()
    assert len(dataset) == table.num_rows == sum(batch.num_rows for batch in dataset.batches()) > 80
    assert dataset.schema == table.schema
    assert list(dataset) == table.to_pylist()
    assert dataset.head(7).equals(table.slice(0, 7))
    assert dataset.head(0).num_rows == 0
    chosen = dataset.select(["stars", "text"])
    assert chosen.to_arrow().equals(table.select(["stars", "text"]))
    assert chosen.split("test").columns == ("stars", "text")
    assert dataset.select("text").split("test").head(3).column_names == ["text"]
    assert f"{len(dataset)} documents" in repr(dataset)


def test_wrong_columns_and_splits_name_the_nearest(dataset: corpusmill.Dataset) -> None:
    """Before anything is read."""
    with pytest.raises(corpusmill.UsageError, match="did you mean 'stars'"):
        dataset.select(["star"])
    with pytest.raises(corpusmill.UsageError, match="did you mean 'test'"):
        dataset.split("tset")
    with pytest.raises(corpusmill.UsageError, match="no split 'train'"):
        dataset.split("test").split("train")


def test_a_union_gives_columns_that_a_part_lacks_as_null(done: Run) -> None:
    """Parts of a dataset may come from inputs with other columns."""
    parts = done.dataset("split").stored
    schema = pa.schema([*parts.schema, pa.field("url", pa.large_string())])
    union = publish_dataset(parts.store, schema, parts.entries)
    opened = corpusmill.open(union.digest, store=done.store)
    assert opened.to_arrow()["url"].null_count == len(opened)
    assert opened.select(["url"]).head(2).num_rows == 2


def test_an_empty_dataset_has_its_schema(done: Run) -> None:
    """No rows, all columns, in every form."""
    full = done.dataset("split").stored
    empty = corpusmill.open(publish_dataset(full.store, full.schema, []).digest, store=done.store)
    assert len(empty) == 0
    assert empty.to_arrow().schema == empty.schema == full.schema
    assert list(empty) == []
    assert isinstance(empty.stored, Stored)


def test_pandas_gets_the_same_rows(dataset: corpusmill.Dataset) -> None:
    """Columns and values."""
    pytest.importorskip("pandas")
    frame = dataset.select(["text", "stars"]).to_pandas()
    assert frame["stars"].tolist() == dataset.to_arrow()["stars"].to_pylist()


def test_hugging_face_gets_the_same_rows(dataset: corpusmill.Dataset) -> None:
    """In memory and as a stream, whose shards are the files of the store."""
    pytest.importorskip("datasets")
    expected = dataset.to_arrow().to_pylist()
    assert dataset.to_hf().to_list() == expected
    streamed: Any = dataset.to_hf(streaming=True)
    assert list(streamed) == expected
    assert streamed.num_shards == len(dataset.stored.entries) > 1


@pytest.mark.parametrize(
    ("module", "method", "command"),
    [
        ("pandas", "to_pandas", "pip install pandas"),
        ("pandas", "to_ray", "pip install pandas"),
        ("datasets", "to_hf", "pip install datasets"),
        ("torch", "to_torch", r"pip install 'corpusmill\[train\]'"),
    ],
)
def test_a_missing_library_is_named_with_its_command(
    dataset: corpusmill.Dataset, monkeypatch: pytest.MonkeyPatch, module: str, method: str, command: str
) -> None:
    """No ImportError from deep inside."""
    monkeypatch.setattr("corpusmill.face.conversion.find_spec", lambda name: None if name == module else object())
    with pytest.raises(corpusmill.UsageError, match=command):
        getattr(dataset, method)()


def ids(loader: Any) -> list[str]:
    return [one for batch in loader for one in batch["id"]]


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("world_size", [1, 3])
def test_torch_gets_each_document_once(dataset: corpusmill.Dataset, workers: int, world_size: int) -> None:
    """Over processes and DataLoader workers together, also with more of them than there are files."""
    data = pytest.importorskip("torch.utils.data")
    narrow = dataset.select(["id", "stars"])
    found = []
    for rank in range(world_size):
        share = narrow.to_torch(rank=rank, world_size=world_size)
        # Fork is the default here; spawn, which pickles the dataset, is asked for below.
        found += ids(data.DataLoader(share, batch_size=7, num_workers=workers))
    assert sorted(found) == sorted(dataset.to_arrow()["id"].to_pylist())
    assert len(set(found)) == len(found)


def test_a_torch_stream_travels_to_spawned_workers(dataset: corpusmill.Dataset) -> None:
    """It pickles: by reference, not by rows."""
    data = pytest.importorskip("torch.utils.data")
    stream = dataset.select(["id"]).to_torch()
    context = multiprocessing.get_context("spawn")
    loader = data.DataLoader(stream, batch_size=50, num_workers=1, multiprocessing_context=context)
    assert sorted(ids(loader)) == sorted(dataset.to_arrow()["id"].to_pylist())


def test_a_rank_out_of_range_is_an_error(dataset: corpusmill.Dataset) -> None:
    """Not a silent empty share."""
    pytest.importorskip("torch")
    with pytest.raises(corpusmill.UsageError, match="rank 2 of 2"):
        dataset.to_torch(rank=2, world_size=2)


def test_tokens_open_as_windows(done: Run) -> None:
    """Counts without reading, windows by split, the same ids in NumPy and torch, padding without a label."""
    tokens = corpusmill.open_tokens("run:reviews/tokens", store=done.store)
    assert tokens.window == 16
    assert set(tokens.splits) == {"train", "test"}
    with pytest.raises(corpusmill.UsageError, match="windows are numbered within a split"):
        tokens.windows()
    train = tokens.split("train")
    assert len(train) == tokens.splits["train"] == sum(len(batch) for batch in train.batches(10))
    assert 0 < train.tokens < tokens.tokens
    torch = pytest.importorskip("torch")
    data = train.to_torch()
    assert len(data) == len(train)
    last, ids_ = data[-1], next(iter(train.batches(len(train))))[-1]
    assert last["input_ids"].dtype == torch.int64
    assert last["labels"].tolist() == [-100 if one < 0 else one for one in ids_.tolist()]
    assert last["attention_mask"].tolist() == [int(one >= 0) for one in ids_.tolist()]
    assert last["input_ids"].tolist() == [max(one, 0) for one in ids_.tolist()]
    with pytest.raises(IndexError):
        data[len(data)]


def test_artifacts_open_as_folders(done: Run) -> None:
    """Verified files under a local path."""
    words = corpusmill.open_artifact("run:reviews/words", store=done.store)
    assert words.kind == "tokenizer"
    assert (words.path / "tokenizer.json").is_file()
    with pytest.raises(corpusmill.UsageError, match="not an artifact"):
        corpusmill.open_artifact("run:reviews/split", store=done.store)
    with pytest.raises(corpusmill.UsageError, match="not tokens"):
        corpusmill.open_tokens("run:reviews/split", store=done.store)
