"""Rows of a file fetched in ranges: the values of a memory map, few bytes read, few requests, a bounded cache."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.exchange import ranged_columns
from corpusmill.exchange.column_file import write_columns
from corpusmill.exchange.part_rows import MappedColumns, PartRows
from corpusmill.exchange.ranged_columns import BLOCK_BYTES, BlockCache, RangedColumns
from corpusmill.exchange.ranged_keys import RangeKeys
from corpusmill.exchange.sketch_file import SketchFile

DTYPES = ["uint8", "uint32", "uint64", "float32", "float64", "int64"]


class Requests:
    """A file that is read in ranges, each request noted."""

    def __init__(self, path: Path):
        self.data, self.made = path.read_bytes(), []

    def __call__(self, start: int, stop: int) -> bytes:
        self.made.append((start, stop))
        return self.data[start:stop]

    @property
    def bytes(self) -> int:
        return sum(stop - start for start, stop in self.made)


def opened(path: Path, cache: BlockCache | None = None) -> tuple[RangedColumns, Requests]:
    requests = Requests(path)
    return RangedColumns("evidence", len(requests.data), requests, cache or BlockCache()), requests


def signatures(path: Path, rows: int) -> np.ndarray:
    values = np.random.default_rng(7).integers(0, 2**32, (rows, 112), np.uint32)
    write_columns(path, {"rank": np.arange(rows) / 3, "evidence": values}, {"rows": str(rows)})
    return values


@given(
    rows=st.integers(0, 400),
    width=st.integers(1, 9),
    dtype=st.sampled_from(DTYPES),
    wanted=st.lists(st.integers(0, 10**6), max_size=60),
    block=st.sampled_from([1, 64, 1000, 10**6]),
)
def test_values_are_those_of_a_memory_map(rows: int, width: int, dtype: str, wanted: list[int], block: int) -> None:
    """Any rows in any order, repeated or not, of any type and width, with blocks of any size."""
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patched:
        patched.setattr(ranged_columns, "BLOCK_BYTES", block)
        patched.setattr(ranged_columns, "_THREADS", 2)
        path = Path(folder) / "rows"
        draw = np.random.default_rng(rows)
        values = draw.integers(0, 200, (rows, width)).astype(dtype)
        write_columns(path, {"rank": draw.random(rows), "evidence": values}, {})
        places = np.array([one % rows for one in wanted] if rows else [], np.int64)
        columns, _ = opened(path, BlockCache(300))
        mapped = MappedColumns(path)
        assert columns.names == mapped.names == {"rank", "evidence"}
        for _ in range(2):
            for name in ("rank", "evidence"):
                found = columns.take(name, places)
                assert found.dtype == mapped.take(name, places).dtype
                np.testing.assert_array_equal(found, mapped.take(name, places))


def test_few_rows_cost_few_bytes(tmp_path: Path) -> None:
    """Ten rows of a file of 45 MB: both ends of the file and a block for each row, less than a tenth of it."""
    values = signatures(tmp_path / "rows", 100_000)
    columns, requests = opened(tmp_path / "rows")
    rows = np.arange(10) * 9_999
    np.testing.assert_array_equal(columns.take("evidence", rows), values[rows])
    assert requests.bytes <= 2 * 65_536 + 10 * BLOCK_BYTES < len(requests.data) / 10
    assert len(requests.made) == 12


def test_neighbours_come_with_one_request(tmp_path: Path) -> None:
    """Rows of twenty blocks in a row, asked for in any order, are one request; asked for again, none."""
    values = signatures(tmp_path / "rows", 20_000)
    columns, requests = opened(tmp_path / "rows")
    rows = np.random.default_rng(1).permutation(20 * (BLOCK_BYTES // 448))
    np.testing.assert_array_equal(columns.take("evidence", rows), values[rows])
    assert len(requests.made) == 3
    columns.take("evidence", rows[:500])
    assert len(requests.made) == 3


def test_the_cache_is_bounded(tmp_path: Path) -> None:
    """What is kept stays within the limit, however much is asked for; what was used last is kept."""
    signatures(tmp_path / "rows", 20_000)
    cache = BlockCache(3 * BLOCK_BYTES)
    columns, requests = opened(tmp_path / "rows", cache)
    columns.take("evidence", np.arange(20_000))
    before = len(requests.made)
    columns.take("evidence", np.arange(19_500, 20_000))
    assert len(requests.made) == before
    columns.take("evidence", np.arange(10))
    assert len(requests.made) == before + 1


@given(
    keys=st.lists(st.integers(0, 2**64 - 1) | st.sampled_from([0, 5, 2**63, 2**64 - 1]), max_size=80),
    wide=st.booleans(),
    low=st.integers(0, 2**64) | st.sampled_from([0, 5, 2**63]),
    high=st.integers(0, 2**64) | st.just(2**64),
    block=st.sampled_from([8, 64, 10**6]),
)
def test_keys_of_a_range_are_those_of_the_file(keys: list[int], wide: bool, low: int, high: int, block: int) -> None:
    """Positions within the range, and entries between them, as the mapped key file gives them."""
    low, high = sorted([low, high])
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patched:
        patched.setattr(ranged_columns, "BLOCK_BYTES", block)
        path = Path(folder) / "keys"
        high_half = np.array(sorted(keys), np.uint64)
        columns = {"key": high_half, **({"key_low": np.arange(len(keys), dtype=np.uint64)} if wide else {})}
        write_columns(path, {**columns, "row": np.arange(len(keys), dtype=np.uint32)}, {"rows": str(len(keys))})
        whole, part = SketchFile(path), RangeKeys(opened(path)[0], low, high)
        bounds = [low, low + (high - low) // 3, high]
        first = int(whole.positions([low])[0])
        np.testing.assert_array_equal(part.positions(bounds), whole.positions(bounds) - first)
        start, stop = (int(one) for one in part.positions(bounds)[1:])
        expected, found = whole.entries(first + start, first + stop), part.entries(start, stop)
        np.testing.assert_array_equal(found.key, expected.key)
        np.testing.assert_array_equal(found.row, expected.row)
        assert (found.key_low is None) == (expected.key_low is None) == (not wide)
        if found.key_low is not None:
            np.testing.assert_array_equal(found.key_low, expected.key_low)


def test_a_range_of_mixed_keys_costs_little_more_than_itself(tmp_path: Path) -> None:
    """A hundredth of two million keys: at most three blocks for each end, and the range."""
    keys = np.sort(np.random.default_rng(3).integers(0, 2**64 - 1, 2_000_000, np.uint64))
    write_columns(tmp_path / "keys", {"key": keys, "row": np.zeros(keys.size, np.uint32)}, {"rows": "1"})
    columns, requests = opened(tmp_path / "keys")
    low, high = 2**63, 2**63 + 2**64 // 100
    part = RangeKeys(columns, low, high)
    count = int(part.positions([high])[0])
    assert count == int(np.searchsorted(keys, np.uint64(high)) - np.searchsorted(keys, np.uint64(low))) > 19_000
    assert requests.bytes <= 2 * 65_536 + 6 * BLOCK_BYTES + 12 * count
    assert len(requests.made) <= 10


def test_a_row_beyond_the_end_is_refused(tmp_path: Path) -> None:
    """A reference that the file does not have is an error, never bytes of something else."""
    signatures(tmp_path / "rows", 100)
    columns, _ = opened(tmp_path / "rows")
    for rows in ([100], [-1]):
        with pytest.raises(IndexError):
            columns.take("evidence", np.array(rows))


def test_rows_are_opened_when_they_are_asked_for(tmp_path: Path) -> None:
    """Numbering parts opens no file, nor does knowing whether they rank, where the sketch's record says so."""
    signatures(tmp_path / "rows", 10)
    looks: list[Any] = []

    def look() -> MappedColumns:
        looks.append(1)
        return MappedColumns(tmp_path / "rows")

    known, unknown = PartRows(10, look, True), PartRows(10, look)
    assert (known.rows, known.has_rank, len(looks)) == (10, True, 0)
    assert (unknown.has_rank, PartRows(10, None).has_rank, len(looks)) == (True, False, 1)
    assert known.rank(np.array([3, 0])).tolist() == [1.0, 0.0]
    with pytest.raises(KeyError):
        PartRows(10, None).evidence(np.array([0]))
