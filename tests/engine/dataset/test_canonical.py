"""The canonical form: equal rows are equal bytes, whatever batches, encodings or hidden values they come with."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusmill.dataset.canonical import BATCH_BYTES, BATCH_ROWS, Recutter, canonical_batch, row_sizes
from corpusmill.dataset.part import Part, PartWriter, read_part
from corpusmill.dataset.schema import canonical_schema, conform
from corpusmill.dataset.store import Store

ITEM = pa.struct([("name", pa.large_string()), ("score", pa.float64())])
SCHEMA = canonical_schema(
    {
        "id": pa.string(),
        "text": pa.large_string(),
        "bytes": pa.binary(),
        "flag": pa.bool_(),
        "tiny": pa.int8(),
        "big": pa.uint64(),
        "half": pa.float16(),
        "single": pa.float32(),
        "double": pa.float64(),
        "price": pa.decimal128(12, 3),
        "day": pa.date32(),
        "moment": pa.timestamp("us", "UTC"),
        "hash": pa.binary(4),
        "nothing": pa.null(),
        "tokens": pa.list_(pa.int32()),
        "flags": pa.list_(pa.bool_()),
        "scores": pa.list_(pa.float32()),
        "words": pa.list_(pa.large_string()),
        "nested": pa.list_(pa.list_(pa.int16())),
        "item": ITEM,
        "items": pa.list_(ITEM),
    }
)
_TEXT = st.text(max_size=12)
_FLOAT = st.floats(width=16)
_ITEM = st.fixed_dictionaries({"name": st.none() | _TEXT, "score": st.none() | _FLOAT})
_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "id": _TEXT,
    "text": _TEXT,
    "bytes": st.binary(max_size=6),
    "flag": st.booleans(),
    "tiny": st.integers(-128, 127),
    "big": st.integers(0, 2**64 - 1),
    "half": _FLOAT,
    "single": _FLOAT,
    "double": _FLOAT,
    "price": st.integers(-(10**9), 10**9).map(lambda thousandths: Decimal(thousandths) / 1000),
    "day": st.dates(date(1970, 1, 1), date(2100, 1, 1)),
    "moment": st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)).map(lambda at: at.replace(tzinfo=UTC)),  # noqa: DTZ001
    "hash": st.binary(min_size=4, max_size=4),
    "nothing": st.none(),
    "tokens": st.lists(st.none() | st.integers(-(2**31), 2**31 - 1), max_size=4),
    "flags": st.lists(st.none() | st.booleans(), max_size=4),
    "scores": st.lists(st.none() | _FLOAT, max_size=3),
    "words": st.lists(st.none() | _TEXT, max_size=3),
    "nested": st.lists(st.none() | st.lists(st.integers(-9, 9), max_size=2), max_size=2),
    "item": _ITEM,
    "items": st.lists(st.none() | _ITEM, max_size=2),
}
ROWS = st.lists(st.fixed_dictionaries({name: st.none() | values for name, values in _VALUES.items()}), max_size=5)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(str(tmp_path_factory.mktemp("store")))


def write(store: Store, schema: pa.Schema, batches: Sequence[pa.RecordBatch]) -> Part:
    writer = PartWriter(store, schema)
    for batch in batches:
        writer.write(batch)
    return writer.finish()


def cut(batch: pa.RecordBatch, size: int) -> list[pa.RecordBatch]:
    return [batch.slice(start, size) for start in range(0, batch.num_rows, size)]


def batch_of(rows: list[dict[str, Any]]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist(rows, schema=SCHEMA)


@settings(max_examples=40)
@given(rows=ROWS, size=st.sampled_from([1, 2, 7, 1000]))
def test_the_cut_into_batches_leaves_no_trace(store: Store, rows: list[dict[str, Any]], size: int) -> None:
    """All types, nulls everywhere: the same rows in any batches are the same digest and the same file."""
    whole = batch_of(rows)
    assert write(store, SCHEMA, cut(whole, size)) == write(store, SCHEMA, [whole])


@settings(max_examples=40)
@given(rows=ROWS, start=st.integers(0, 5), count=st.integers(0, 5))
def test_a_slice_is_only_its_rows(store: Store, rows: list[dict[str, Any]], start: int, count: int) -> None:
    """What stands before and after in the buffers of a slice is neither hashed nor written."""
    start = min(start, len(rows))
    inside = batch_of(rows).slice(start, count)
    assert write(store, SCHEMA, [inside]) == write(store, SCHEMA, [batch_of(rows[start : start + count])])


@settings(max_examples=40)
@given(rows=ROWS, size=st.sampled_from([1, 3, 1000]))
def test_reading_and_writing_again_gives_the_same_file(store: Store, rows: list[dict[str, Any]], size: int) -> None:
    """A part re-read (compressed, memory-mapped) in any batch size and written again is the same part."""
    part = write(store, SCHEMA, [batch_of(rows)])
    again = [piece for batch in read_part(store, part.file) for piece in cut(batch, size)]
    assert write(store, SCHEMA, again) == part


@settings(max_examples=40)
@given(rows=ROWS)
def test_a_part_gives_back_its_rows(store: Store, rows: list[dict[str, Any]]) -> None:
    """Canonical bytes hold the values that went in."""
    part = write(store, SCHEMA, [batch_of(rows)])
    found = [row for batch in read_part(store, part.file) for row in batch.to_pylist()]
    assert repr(found) == repr(batch_of(rows).to_pylist())


@settings(max_examples=40)
@given(rows=st.lists(st.fixed_dictionaries({"text": st.none() | _TEXT, "words": st.none() | st.lists(_TEXT)})))
def test_encodings_leave_no_trace(store: Store, rows: list[dict[str, Any]]) -> None:
    """Dictionaries, views, plain strings and 32-bit lists conform to one type and so to the same file."""
    schema = canonical_schema({"text": pa.large_string(), "words": pa.list_(pa.large_string())})
    expected = write(store, schema, [pa.RecordBatch.from_pylist(rows, schema=schema)])
    texts, words = [row["text"] for row in rows], [row["words"] for row in rows]
    for text in (pa.string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())):
        for word in (pa.list_(pa.string()), pa.large_list(pa.string()), pa.list_(pa.large_string())):
            if text != pa.string() or len(set(texts)) < 100:
                batch = pa.record_batch({"text": pa.array(texts, text), "words": pa.array(words, word)})
                assert write(store, schema, [conform(batch, schema)]) == expected


@pytest.mark.parametrize(
    ("kind", "values", "plain"),
    [
        (pa.map_(pa.string(), pa.int32()), [[("a", 1)], None, []], [[{"key": "a", "value": 1}], None, []]),
        (pa.list_(pa.int32(), 2), [[1, 2], None], [[1, 2], None]),
        (pa.binary_view(), [b"x", None], [b"x", None]),
        (pa.list_(pa.dictionary(pa.int8(), pa.string())), [["a", "a"], None], [["a", "a"], None]),
    ],
)
def test_rarer_types_have_a_canonical_form(
    store: Store, kind: pa.DataType, values: list[Any], plain: list[Any]
) -> None:
    """Maps, fixed-size lists, views and nested dictionaries are stored as what they mean."""
    schema = canonical_schema({"column": kind})
    part = write(store, schema, [conform(pa.record_batch({"column": pa.array(values, kind)}), schema)])
    assert next(read_part(store, part.file)).column(0).to_pylist() == plain
    assert part == write(store, schema, [pa.record_batch([pa.array(plain, schema[0].type)], schema=schema)])


def test_run_ends_are_decoded(store: Store) -> None:
    """A run-end encoded column is the same part as the plain one."""
    plain = pa.record_batch({"column": pa.array(["a", "a", None, "b"])})
    encoded = pa.record_batch({"column": pc.run_end_encode(plain.column(0))})
    assert canonical_schema({"column": encoded.schema[0].type}) == plain.schema
    assert write(store, plain.schema, [conform(encoded, plain.schema)]) == write(store, plain.schema, [plain])


def test_an_empty_part_has_one_form(store: Store) -> None:
    """No batches and batches without rows are the same part, told apart from other schemas."""
    empty = write(store, SCHEMA, [])
    assert write(store, SCHEMA, [batch_of([]), batch_of([])]) == empty
    assert empty.rows == 0
    assert write(store, SCHEMA.remove(3), []).digest != empty.digest


def nan(payload: int) -> float:
    return struct.unpack("<d", struct.pack("<Q", 0x7FF8000000000000 | payload))[0]


def with_nan(payload: int) -> pa.RecordBatch:
    values = pa.array(np.array([nan(payload), 1.0, nan(payload)]))
    halves = pa.array(np.array([0x7E00 | payload, 0x3C00, 0x7E00 | payload], np.uint16).view(np.float16))
    lists = pa.LargeListArray.from_arrays(pa.array([0, 1, 3, 3]), values)
    columns = {
        "plain": values,
        "half": halves,
        "list": lists,
        "struct": pa.StructArray.from_arrays([values], ["value"]),
        "deep": pa.LargeListArray.from_arrays(
            pa.array([0, 0, 2, 3]), pa.StructArray.from_arrays([values, lists], ["value", "list"])
        ),
    }
    return pa.record_batch(columns)


@pytest.mark.parametrize("column", ["plain", "half", "list", "struct", "deep"])
def test_all_nans_are_one_nan(store: Store, column: str) -> None:
    """Payloads of NaN differ between machines: at any depth they do not reach the file or the digest."""
    one, other = (with_nan(payload).select([column]) for payload in (0, 77))
    assert write(store, one.schema, [one]) == write(store, one.schema, [other])


def hidden(kind: str, seed: int) -> pa.Array:
    """Three values whose middle one is null, over buffers that hold something else for each seed."""
    mask = pa.array([False, True, False])
    valid = pa.py_buffer(bytes([0b101]))
    numbers = pa.array([1, seed, 3], pa.int64())
    if kind == "int":
        return pa.Array.from_buffers(pa.int64(), 3, [valid, numbers.buffers()[1]])
    if kind == "bool":
        bits = pa.array([True, bool(seed % 2), True])
        return pa.Array.from_buffers(pa.bool_(), 3, [valid, bits.buffers()[1]])
    if kind == "text":
        texts = pa.array(["a", f"hidden {seed}", "c"], pa.large_string())
        return pa.Array.from_buffers(pa.large_string(), 3, [valid, *texts.buffers()[1:]])
    if kind == "list":
        return pa.LargeListArray.from_arrays(pa.array([0, 1, 2, 3]), numbers, mask=mask)
    if kind == "struct":
        return pa.StructArray.from_arrays([numbers, pa.array(["a", str(seed), "c"])], ["a", "b"], mask=mask)
    inner = pa.StructArray.from_arrays([numbers], ["a"], mask=mask)
    if kind == "list of struct":
        return pa.LargeListArray.from_arrays(pa.array([0, 2, 2, 3]), inner)
    lists = pa.LargeListArray.from_arrays(pa.array([0, 1, 2, 3]), numbers)
    return pa.StructArray.from_arrays([lists], ["inner"], mask=mask)


@pytest.mark.parametrize("kind", ["int", "bool", "text", "list", "struct", "list of struct", "struct of list"])
def test_what_lies_under_a_null_is_not_seen(store: Store, kind: str) -> None:
    """Values under nulls are whatever memory held: neither digest nor file may depend on them."""
    one, other = (pa.record_batch({"column": hidden(kind, seed)}) for seed in (7, 1_000))
    assert one.to_pylist() == other.to_pylist()
    assert write(store, one.schema, [one]) == write(store, one.schema, [other])


def changed(value: Any) -> Any:
    """Another value of the same type."""
    if isinstance(value, dict):
        return {**value, "name": changed(value["name"])}
    if isinstance(value, list):
        return [*value, None]
    if isinstance(value, datetime | date):
        return value.replace(year=2050 if value.year != 2050 else 2051)
    if isinstance(value, str):
        return value + "x"
    if isinstance(value, bytes):
        return bytes([value[0] ^ 1]) + value[1:]
    return value ^ True if isinstance(value, int) else value + 1


SAMPLE: dict[str, Any] = {
    "id": "a", "text": "b", "bytes": b"c", "flag": True, "tiny": 1, "big": 2, "half": 0.5, "single": 0.5, "double": 0.5,
    "price": Decimal("1.5"), "day": date(2020, 1, 2), "moment": datetime(2020, 1, 2, tzinfo=UTC), "hash": b"abcd",
    "tokens": [1], "flags": [True], "scores": [1.0], "words": ["x"], "nested": [[1]],
    "item": {"name": "n", "score": 1.0}, "items": [{"name": "n", "score": 1.0}],
}  # fmt: skip


@pytest.mark.parametrize("column", sorted(SAMPLE))
def test_the_digest_sees_every_column(store: Store, column: str) -> None:
    """Another value, or a null instead, in one column of one row is another digest."""
    rows = [[SAMPLE], [{**SAMPLE, column: changed(SAMPLE[column])}], [{**SAMPLE, column: None}]]
    digests = [write(store, SCHEMA, [batch_of(each)]).digest for each in rows]
    assert len(set(digests)) == 3


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ([["ab"], ["c"]], [["a"], ["bc"]]),
        ([["a", "b"], []], [["a"], ["b"]]),
        ([[], None], [None, []]),
        ([[""], []], [[], [""]]),
        ([["a", None]], [["a", ""]]),
    ],
)
def test_the_digest_sees_where_values_end(store: Store, left: list[Any], right: list[Any]) -> None:
    """The same bytes cut into other texts or lists, and null beside empty, are other digests."""
    schema = canonical_schema({"words": pa.list_(pa.large_string())})
    parts = [
        write(store, schema, [pa.record_batch([pa.array(one, schema[0].type)], schema=schema)]) for one in (left, right)
    ]
    assert parts[0].digest != parts[1].digest


def test_the_digest_sees_names_types_and_order(store: Store) -> None:
    """The same values under another name, in another type, or in another order of rows are other digests."""
    batches = [
        pa.record_batch({"a": pa.array(["x", "y"])}),
        pa.record_batch({"b": pa.array(["x", "y"])}),
        pa.record_batch({"a": pa.array(["x", "y"], pa.large_string())}),
        pa.record_batch({"a": pa.array(["y", "x"])}),
    ]
    assert len({write(store, batch.schema, [batch]).digest for batch in batches}) == 4


def recut(batches: Iterator[pa.RecordBatch], **limits: int) -> list[int]:
    cutter = Recutter(**limits)
    made = [one for batch in batches for one in cutter.add(batch)]
    return [one.num_rows for one in [*made, *cutter.finish()]]


@pytest.mark.parametrize("size", [1, 100, BATCH_ROWS - 1, BATCH_ROWS, BATCH_ROWS + 1, 50_000])
def test_a_batch_ends_at_8192_rows(size: int) -> None:
    """Small rows are cut at exactly 8,192, whatever they came in."""
    rows = 2 * BATCH_ROWS + 5 if size > 1 else BATCH_ROWS + 1
    batch = pa.record_batch({"n": pa.array(np.arange(rows))})
    assert (BATCH_ROWS, recut(iter(cut(batch, size)))) == (8_192, [8_192] * (rows // 8_192) + [rows % 8_192])


@pytest.mark.parametrize("size", [1, 3, 8, 9, 100])
def test_a_batch_ends_with_the_row_that_brings_it_to_8_mib(size: int) -> None:
    """Rows of 1 MiB: eight reach 8 MiB and end a batch; a ninth starts the next."""
    batch = pa.record_batch({"text": pa.array(["x" * (1 << 20)] * 17, pa.large_string())})
    assert (BATCH_BYTES, recut(iter(cut(batch, size)))) == (8 << 20, [8, 8, 1])


def test_a_row_just_short_of_the_bound_does_not_end_a_batch() -> None:
    """One byte less than 8 MiB stays open for the next row, which then ends the batch."""
    texts = ["x" * (BATCH_BYTES - 1), "y", "z"]
    batch = pa.record_batch({"text": pa.array(texts, pa.large_string())})
    assert recut(iter([batch])) == [2, 1]


@given(sizes=st.lists(st.integers(0, 9), max_size=60), step=st.integers(1, 60))
def test_cuts_follow_rows_alone(sizes: list[int], step: int) -> None:
    """A batch ends with the row that brings it to the row or byte bound: as a plain loop over rows says."""
    expected, rows, held = [], 0, 0
    for size in sizes:
        rows, held = rows + 1, held + size
        if rows == 5 or held >= 20:
            expected.append(rows)
            rows = held = 0
    expected += [rows] if rows else []
    batch = pa.record_batch({"text": pa.array(["x" * size for size in sizes], pa.large_string())})
    assert recut(iter(cut(batch, step)), max_rows=5, max_bytes=20) == expected


@settings(max_examples=40)
@given(rows=ROWS, before=ROWS)
def test_the_size_of_a_row_is_its_own(rows: list[dict[str, Any]], before: list[dict[str, Any]]) -> None:
    """Sizes that decide cuts are the same alone, in a batch and in a slice."""
    together = row_sizes(batch_of([*before, *rows]).slice(len(before)))
    assert together.tolist() == [int(row_sizes(batch_of([row]))[0]) for row in rows]


def test_a_canonical_batch_owns_its_bytes() -> None:
    """A slice of one row of a large batch does not keep the large buffers."""
    large = pa.record_batch({"text": pa.array(["x" * 1_000] * 1_000, pa.large_string())})
    assert canonical_batch([large.slice(500, 1)]).nbytes < 2_000
    assert canonical_batch([large.slice(500, 1)]).column(0).offset == 0
