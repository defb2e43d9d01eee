"""read.parquet: one schema over all files, rows numbered by file, bad rows rejected."""

from __future__ import annotations

import io
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpusmill import CorruptFile, InputError, ReadLimits
from corpusmill_plugins.readers.parquet import Parquet


def reader(**options: Any) -> Parquet:
    return Parquet(Parquet.Options(paths="*", **options))


def parquet(table: pa.Table | dict[str, Any], **options: Any) -> bytes:
    sink = io.BytesIO()
    table = table if isinstance(table, pa.Table) else pa.table(table)
    pq.write_table(table, sink, write_page_checksum=True, **options)
    return sink.getvalue()


@pytest.mark.parametrize("shard", [1, 500, 10_000_000])
def test_row_numbers_and_rows_do_not_depend_on_the_shard(shard: int, put: Any, read_all: Any) -> None:
    """The union over all ranges is the file, in order, with offsets that count its rows."""
    rows = [f"row {number}" for number in range(1000)]
    outcome = read_all(reader(shard=shard), put("a.parquet", parquet({"text": rows}, row_group_size=64)))
    assert [(row["offset"], row["text"]) for row in outcome.rows] == list(enumerate(rows))


def test_small_row_groups_share_a_range(put: Any) -> None:
    """Ranges count row groups and hold about `shard` stored bytes."""
    file = put(
        "a.parquet", parquet({"text": ["x" * 50] * 1000}, row_group_size=10, compression="none", use_dictionary=False)
    )
    ranges = reader(shard=5000).ranges(file)
    assert (ranges[0][0], ranges[-1][1]) == (0, 100)
    assert 10 < len(ranges) < 20
    assert all(left[1] == right[0] for left, right in pairwise(ranges))


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())], ids=str
)
def test_every_kind_of_string_is_text(kind: pa.DataType, put: Any, read_all: Any) -> None:
    """string, large_string, string_view and dictionaries arrive as large_string, nulls stay nulls."""
    table = pa.table({"text": pa.array(["一", None, "two"]).cast(kind)})
    assert read_all(reader(), put("a.parquet", parquet(table))).texts == ["一", None, "two"]


def test_types_are_widened_over_files_and_missing_columns_are_null(put: Any, read_all: Any) -> None:
    """int32 beside int64 is int64, int beside float is float, a column that a file lacks is null there."""
    first = put("a.parquet", parquet({"text": ["a"], "n": pa.array([1], pa.int32()), "x": pa.array([1], pa.int32())}))
    second = put("b.parquet", parquet({"text": ["b"], "n": pa.array([2**40]), "x": [0.5], "url": ["u"]}))
    outcome = read_all(reader(columns="all"), first, second)
    assert outcome.rows == [
        {"text": "a", "n": 1, "x": 1.0, "url": None, "offset": 0},
        {"text": "b", "n": 2**40, "x": 0.5, "url": "u", "offset": 0},
    ]


def test_a_file_with_another_type_is_a_damaged_file(put: Any) -> None:
    """A conflict names the file, the column and both types."""
    files = [
        put("a.parquet", parquet({"text": ["a"], "n": [1]})),
        put("b.parquet", parquet({"text": ["b"], "n": ["x"]})),
    ]
    chosen = reader(columns=["n"])
    chosen.prepare(files)
    assert chosen.ranges(files[0]) == [(0, 1)]
    with pytest.raises(CorruptFile, match=r"column 'n' is large_string here, int64 expected: 'b.parquet'"):
        chosen.ranges(files[1])


def test_a_corpus_without_the_text_column_is_an_error(put: Any) -> None:
    """If no file has the column for the text, the message says which columns there are to choose."""
    with pytest.raises(InputError, match="one of its columns: body"):
        reader().prepare([put("a.parquet", parquet({"body": ["a"]})), put("b.parquet", b"damaged")])


def test_damaged_files_are_left_to_ranges(put: Any) -> None:
    """Preparing passes over damaged files, so that each can be reported on its own."""
    files = [put("a.parquet", b"damaged"), put("b.parquet", b"")]
    chosen = reader()
    chosen.prepare(files)
    for file in files:
        with pytest.raises(CorruptFile, match=file.name):
            chosen.ranges(file)


def test_columns_are_renamed_and_nested_ones_only_by_name(put: Any, read_all: Any) -> None:
    """`columns` maps ours to theirs; `all` leaves nested columns out, naming one brings it in."""
    file = put("a.parquet", parquet({"body": ["a"], "tags": [["x", "y"]], "n": [1]}))
    named = read_all(reader(columns={"text": "body", "labels": "tags"}), file)
    assert named.rows == [{"text": "a", "labels": ["x", "y"], "offset": 0}]
    other = put("b.parquet", parquet({"text": ["a"], "tags": [["x"]], "n": [1]}))
    assert read_all(reader(columns="all"), other).rows == [{"text": "a", "n": 1, "offset": 0}]


def invalid_utf8(kind: pa.DataType, *values: bytes) -> pa.Array:
    binary = pa.array(values, pa.binary())
    return pa.Array.from_buffers(kind, len(binary), binary.buffers())


def test_an_export_is_read_back(put: Any, read_all: Any) -> None:
    """`offset` is the place in this file: the file's own is left out of `all`, and refused where it is asked for."""
    from pydantic import ValidationError

    table = pa.table({"text": ["a", "b"], "offset": [70, 80], "split": ["train", "test"]})
    rows = read_all(reader(columns="all"), put("a.parquet", parquet(table))).rows
    assert rows == [{"text": "a", "split": "train", "offset": 0}, {"text": "b", "split": "test", "offset": 1}]
    with pytest.raises(ValidationError, match=r"their_offset: offset"):
        reader(columns=["text", "offset"])
    renamed = read_all(reader(columns={"there": "offset"}), put("b.parquet", parquet(table))).rows
    assert [(one["there"], one["offset"]) for one in renamed] == [(70, 0), (80, 1)]


def test_invalid_utf8_rejects_its_row_only(put: Any, read_all: Any) -> None:
    """Bytes that are no UTF-8 in the text or another string column reject that row, with the text's raw bytes."""
    table = pa.table(
        {
            "text": invalid_utf8(pa.string(), b"good", b"bad \xff", b"fine"),
            "url": invalid_utf8(pa.string(), b"u", b"v", b"\xff"),
        }
    )
    outcome = read_all(reader(columns=["url"]), put("a.parquet", parquet(table)))
    assert outcome.rows == [{"text": "good", "url": "u", "offset": 0}]
    assert outcome.rejects == [(1, "invalid-utf8", b"bad \xff", 5), (2, "invalid-utf8", b"fine", 4)]


def test_a_text_above_the_limit_is_rejected(put: Any, read_all: Any) -> None:
    """A too long text is rejected with its row number and true length."""
    file = put("a.parquet", parquet({"text": ["a", "b" * 5000, "c"]}))
    outcome = read_all(reader(), file, limits=ReadLimits(max_document_bytes=4999))
    assert outcome.texts == ["a", "c"]
    assert [(offset, reason, length) for offset, reason, _, length in outcome.rejects] == [(1, "too-large", 5000)]


def test_a_number_that_widening_would_round_rejects_its_row(put: Any, read_all: Any) -> None:
    """An int beyond 2^53 in a column that is float elsewhere is a type conflict of that row."""
    first = put("a.parquet", parquet({"text": ["a", "b"], "n": [1, 2**53 + 1]}))
    second = put("b.parquet", parquet({"text": ["c"], "n": [0.5]}))
    outcome = read_all(reader(columns=["n"]), first, second)
    assert [row["n"] for row in outcome.rows] == [1.0, 0.5]
    assert outcome.reasons == [(1, "type-conflict")]


def test_a_file_without_rows_has_none(put: Any, read_all: Any) -> None:
    """A Parquet file of zero rows is fine; a file of zero bytes is damaged."""
    empty = put("a.parquet", parquet(pa.table({"text": pa.array([], pa.string())})))
    assert read_all(reader(), empty).rows == []
    with pytest.raises(CorruptFile, match="no data at all"):
        reader().ranges(put("b.parquet", b""))
