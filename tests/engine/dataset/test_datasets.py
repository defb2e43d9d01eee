"""Datasets: manifests come back, selections choose, splits add up, digests tell content apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated_disk import FailingDisk

from corpusmill.dataset.artifact import open_artifact, publish_artifact
from corpusmill.dataset.canonical import BATCH_ROWS
from corpusmill.dataset.disk import Disk, swapped
from corpusmill.dataset.hashing import canonical_json
from corpusmill.dataset.manifest import Dataset, Entry, entry_batches, publish_dataset
from corpusmill.dataset.part import Part, PartWriter, read_part, read_table, write_table
from corpusmill.dataset.schema import canonical_schema, conform, union_schema
from corpusmill.dataset.selection import Selection, read_selection, selection_digest, write_selection
from corpusmill.dataset.store import Store
from corpusmill.errors import ChecksumError, StoreError
from corpusmill.runner.tokens import TokenSet

SCHEMA = canonical_schema({"id": pa.string(), "text": pa.large_string(), "split": pa.string()})


@pytest.fixture(scope="module", params=["local", "object"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder = tmp_path_factory.mktemp("store")
    return Store(str(folder) if request.param == "local" else f"object://{folder}")


def part(store: Store, texts: list[str], labels: list[str | None] | None = None) -> Part:
    columns = {"id": texts, "text": texts, "split": labels or [None] * len(texts)}
    writer = PartWriter(store, SCHEMA)
    writer.write(pa.record_batch([pa.array(columns[field.name], field.type) for field in SCHEMA], schema=SCHEMA))
    return writer.finish()


def select(store: Store, *mask: bool) -> Selection:
    return write_selection(store, np.array(mask, bool))


def texts(dataset: Dataset, **how: str) -> list[str]:
    return [text for batch in dataset.batches(**how) for text in batch.column("text").to_pylist()]


def sample(store: Store) -> Dataset:
    labels = ["train", "test", "train", None]
    first = Entry(part(store, ["a", "b", "c", "d"], labels), None, {"train": 2, "test": 1})
    second = Entry(part(store, ["e", "f"], ["train", "test"]), select(store, False, True), {"test": 1})
    return publish_dataset(store, SCHEMA, [first, second])


def test_a_dataset_comes_back_from_its_digest(store: Store) -> None:
    """Schema, parts, selections, splits and rows are as they were published."""
    made = sample(store)
    opened = Dataset.open(store, made.digest)
    assert (opened.schema, opened.entries, opened.splits) == (made.schema, made.entries, made.splits)
    assert (texts(opened), opened.rows) == (["a", "b", "c", "d", "f"], 5)


def test_splits_add_up_over_parts(store: Store) -> None:
    """The labels of a dataset are the sums over its parts' selected rows."""
    assert sample(store).splits == {"train": 2, "test": 2}


@pytest.mark.parametrize(("split", "expected"), [("train", ["a", "c"]), ("test", ["b", "f"]), ("other", [])])
def test_one_label_s_rows_in_order(store: Store, split: str, expected: list[str]) -> None:
    """A split takes its label's selected rows, rows without a label are in none."""
    assert texts(sample(store), split=split) == expected


def test_only_the_wanted_columns_come(store: Store) -> None:
    """Columns come in the order asked for; the label is read for a split but not given."""
    batches = list(sample(store).batches(["text", "id"], split="train"))
    assert [batch.schema.names for batch in batches] == [["text", "id"]]


def test_publishing_again_is_the_same_dataset(store: Store) -> None:
    """Equal content has one digest and one manifest."""
    assert sample(store).digest == sample(store).digest
    assert [name for name in store.storage.list("datasets/") if sample(store).digest in name] == [
        f"datasets/{sample(store).digest}/manifest.json"
    ]


def test_the_digest_sees_order_selection_and_schema(store: Store) -> None:
    """Parts in another order, another selection, or another schema are other datasets."""
    one, two = Entry(part(store, ["a", "b"])), Entry(part(store, ["c"]))
    narrow = Entry(one.part, select(store, True, False))
    listed = [[one, two], [two, one], [narrow, two], [one], []]
    digests = {publish_dataset(store, SCHEMA, entries).digest for entries in listed}
    digests.add(publish_dataset(store, SCHEMA.remove(2), []).digest)
    assert len(digests) == 6


def test_an_empty_dataset_exists(store: Store) -> None:
    """No parts: published, opened, no rows, its schema kept."""
    opened = Dataset.open(store, publish_dataset(store, SCHEMA, []).digest)
    assert (opened.rows, list(opened.batches()), opened.splits, opened.schema) == (0, [], {}, SCHEMA)


def test_what_was_not_published_does_not_exist(store: Store) -> None:
    """A digest without a manifest is a store error."""
    with pytest.raises(StoreError, match="no dataset 'abc'"):
        Dataset.open(store, "abc")


@pytest.mark.parametrize("kind", ["dataset", "token set", "artifact"])
def test_a_manifest_of_another_format_is_refused(store: Store, tmp_path: Path, kind: str) -> None:
    """Data of another version of the format is told apart, never misread; what helps depends on which is newer."""
    if kind == "artifact":
        (tmp_path / "metrics.json").write_text("{}")
        digest = publish_artifact(store, "metrics", tmp_path, {}).digest
    else:
        digest = publish_dataset(store, SCHEMA, [Entry(part(store, ["x"]))]).digest
    open_one = {"dataset": Dataset.open, "token set": TokenSet.open, "artifact": open_artifact}[kind]
    name = f"{'artifacts' if kind == 'artifact' else 'datasets'}/{digest}/manifest.json"
    manifest = orjson.loads(store.storage.read(name))
    try:
        for version, hint in ((99, "pip install --upgrade"), (0, "run the pipeline"), (None, "run the pipeline")):
            store.storage.put(name, canonical_json({**manifest, "format": version}))
            with pytest.raises(StoreError, match=f"{kind} {digest} has format {version}") as caught:
                open_one(store, digest)
            assert str(caught.value.where).endswith(name)
            assert hint in str(caught.value.hint)
    finally:
        store.storage.put(name, canonical_json(manifest))


def test_a_damaged_part_is_never_read(tmp_path: Path) -> None:
    """One flipped bit in a part: no row comes out of a process that has not seen the file before."""
    store = Store(str(tmp_path))
    made = sample(store)
    path = tmp_path / made.entries[0].part.file.name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    with pytest.raises(ChecksumError):
        list(Dataset.open(Store(str(tmp_path)), made.digest).batches())


@settings(max_examples=30)
@given(mask=st.lists(st.booleans(), max_size=70))
def test_a_selection_comes_back(store: Store, mask: list[bool]) -> None:
    """The bits, their number, and through JSON."""
    selection = write_selection(store, np.array(mask, bool))
    assert Selection.from_json(selection.to_json()) == selection
    assert (selection.selected, read_selection(store, selection).tolist()) == (sum(mask), mask)


@given(st.lists(st.booleans(), max_size=20), st.lists(st.booleans(), max_size=20))
def test_masks_differ_in_their_digests(left: list[bool], right: list[bool]) -> None:
    """Equal masks have equal digests, others (also longer ones with the same bits) have not."""
    digests = [selection_digest(np.array(mask, bool)) for mask in (left, right, [*left, False])]
    assert (digests[0] == digests[1]) == (left == right)
    assert digests[0] != digests[2]


def test_no_selection_means_all_rows() -> None:
    """None stands for a part that counts whole."""
    assert Selection.from_json(None) is None


def test_a_selection_spans_batches(store: Store) -> None:
    """A part of several batches: the mask runs on from one to the next."""
    rows = 2 * BATCH_ROWS + 10
    whole = part(store, [f"{row}" for row in range(rows)])
    chosen = [0, BATCH_ROWS - 1, BATCH_ROWS, rows - 1]
    mask = np.zeros(rows, bool)
    mask[chosen] = True
    entry = Entry(whole, write_selection(store, mask))
    assert len(list(read_part(store, whole.file))) == 3
    found = [text for batch in entry_batches(store, entry, ["text"]) for text in batch.column(0).to_pylist()]
    assert found == [f"{row}" for row in chosen]


def test_a_part_comes_back_from_its_record(store: Store) -> None:
    """What a commit record says of a part is the part."""
    made = part(store, ["a", "b"])
    assert Part.from_json(orjson.loads(canonical_json(made.to_json()))) == made


def test_an_abandoned_part_leaves_nothing(store: Store) -> None:
    """A writer given up on removes its file and publishes none."""
    before = set(store.storage.list("files/")), set(store.storage.scratch().iterdir())
    writer = PartWriter(store, SCHEMA)
    writer.write(pa.RecordBatch.from_pylist([{"id": "z", "text": "never", "split": None}], schema=SCHEMA))
    writer.abandon()
    assert (set(store.storage.list("files/")), set(store.storage.scratch().iterdir())) == before


def test_a_small_table_is_one_file_however_it_was_chunked(store: Store) -> None:
    """Ledgers and lists of parts: equal tables give equal files, and come back."""
    table = pa.table({"n": list(range(10)), "t": [None, "x"] * 5})
    chunked = pa.concat_tables([table.slice(0, 3), table.slice(3)])
    assert write_table(store, table) == write_table(store, chunked)
    assert read_table(store, write_table(store, chunked)).equals(table)


def test_a_small_table_that_cannot_be_written_leaves_nothing(store: Store) -> None:
    """Wherever the disk is full, and where something else ends the writing: scratch is as it was."""
    table = pa.table({"n": list(range(1000))})
    before = set(store.storage.scratch().iterdir())
    disk = FailingDisk()
    with swapped(disk):
        write_table(store, table)
    for kind in ("create", "write", "sync_file", "rename"):
        for number in range(1, disk.counts.get(("start", kind), 0) + 1):
            full = FailingDisk()
            full.arm("start", kind, number, "ENOSPC")
            with swapped(full), pytest.raises(StoreError, match="no space left"):
                write_table(store, table)
            assert full.fired
            assert set(store.storage.scratch().iterdir()) == before, (kind, number)

    class Stopped(Disk):
        def write(self, file: int, data: bytes | memoryview) -> int:
            raise KeyboardInterrupt

    with swapped(Stopped()), pytest.raises(KeyboardInterrupt):
        write_table(store, table)
    assert set(store.storage.scratch().iterdir()) == before


def test_a_union_has_the_columns_of_all(store: Store) -> None:
    """Columns by name, id and text first; rows of a dataset without a column have nulls in it."""
    left, right = canonical_schema({"text": pa.large_string(), "a": pa.int64()}), canonical_schema({"z": pa.bool_()})
    union = union_schema([right, left])
    assert union.names == ["text", "a", "z"]
    row = conform(pa.RecordBatch.from_pylist([{"z": True}], schema=right), union).to_pylist()
    assert row == [{"text": None, "a": None, "z": True}]
