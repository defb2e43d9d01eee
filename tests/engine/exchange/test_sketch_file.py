"""Sketch files: what is written is read, its bytes do not depend on batches, broken sketches are refused."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.errors import OperatorError, StoreError
from corpusmill.exchange.ranges import KEY_SPACE
from corpusmill.exchange.sketch_file import SketchFile, SketchWriter
from corpusmill.plugin.dedup_kind import Sketch

KEYS = st.lists(st.lists(st.integers(0, 9) | st.integers(0, KEY_SPACE - 1), max_size=4), max_size=30)


def sketch_of(rows_keys: list[list[int]], wide: bool) -> Sketch:
    """Sketch rows with the given keys, evidence and order of entries."""
    entries = [(key, row) for row, keys in enumerate(rows_keys) for key in reversed(keys)]
    keys = np.array([key for key, _ in entries], np.uint64)
    keys = np.stack([keys // np.uint64(3), keys % np.uint64(3)], axis=1) if wide else keys
    evidence = np.array([[len(keys), 7] for keys in rows_keys], np.uint16).reshape(-1, 2)
    return Sketch(keys, np.array([row for _, row in entries], np.int64), evidence)


def write(folder: str | Path, rows_keys: list[list[int]], cuts: list[int], wide: bool = False) -> tuple[Path, Path]:
    """Write a part in batches that end at `cuts`; return the key path and the row-data path."""
    writer = SketchWriter()
    bounds = [0, *cuts, len(rows_keys)]
    for start, stop in pairwise(bounds):
        writer.add(sketch_of(rows_keys[start:stop], wide), stop - start, np.arange(start, stop, dtype=np.float64))
    paths = Path(folder) / "keys", Path(folder) / "rows"
    writer.write(*paths)
    return paths


@given(rows_keys=KEYS, wide=st.booleans(), data=st.data())
def test_bytes_do_not_depend_on_batches(rows_keys, wide, data):
    """One batch or many, keys in any order, repeated or not: the same bytes in both files."""
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows_keys)), max_size=5)))
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        first = write(one, rows_keys, [], wide)
        second = write(other, [sorted(set(keys)) for keys in rows_keys], cuts, wide)
        assert first[0].read_bytes() == second[0].read_bytes()
        shuffled = write(other, [keys[::-1] for keys in rows_keys], cuts, wide)
        assert [path.read_bytes() for path in first if path.exists()] == [
            path.read_bytes() for path in shuffled if path.exists()
        ]


@given(rows_keys=KEYS, bounds=st.tuples(st.integers(0, KEY_SPACE), st.integers(0, KEY_SPACE)).map(sorted))
def test_slice_is_the_range(rows_keys, bounds):
    """A slice holds exactly the distinct (key, row) entries of its range, sorted."""
    low, high = bounds
    with TemporaryDirectory() as folder:
        entries = SketchFile(*write(folder, rows_keys, [])[:1]).slice(low, high)
        expected = sorted({(key, row) for row, keys in enumerate(rows_keys) for key in keys if low <= key < high})
        assert list(zip(entries.key.tolist(), entries.row.tolist(), strict=True)) == expected


def test_rank_and_evidence_by_row(tmp_path):
    """Rank and evidence are found by row number, in any order, for rows without keys too."""
    sketch = SketchFile(*write(tmp_path, [[1], [], [2, 3]], [1]))
    assert sketch.rows == 3
    assert sketch.rank(np.array([2, 0])).tolist() == [2.0, 0.0]
    assert sketch.evidence(np.array([2, 1, 2])).tolist() == [[2, 7], [0, 7], [2, 7]]
    assert sketch.evidence(np.array([0])).dtype == np.uint16


def test_wide_keys_sort_by_both_halves(tmp_path):
    """128-bit keys are sorted by high half, low half, row."""
    entries = SketchFile(*write(tmp_path, [[8, 1], [6], [7, 6]], [], wide=True)).slice(0, KEY_SPACE)
    assert entries.key.tolist() == [0, 2, 2, 2, 2]
    assert entries.key_low.tolist() == [1, 0, 0, 1, 2]
    assert entries.row.tolist() == [0, 1, 2, 2, 0]


def test_nan_ranks_last(tmp_path):
    """A NaN rank is stored as infinity, so that ranks have one order."""
    writer = SketchWriter()
    writer.add(Sketch(np.array([1], np.uint64), np.array([0])), 3, np.array([np.nan, -np.inf, 2.5]))
    writer.write(tmp_path / "keys", tmp_path / "rows")
    ranks = SketchFile(tmp_path / "keys", tmp_path / "rows").rank(np.arange(3))
    assert ranks.tolist() == [np.inf, -np.inf, 2.5]


def test_skipped_rows_are_nobodys_duplicates(tmp_path):
    """Rows of which nothing is known have no keys, rank last and have blank evidence; the others keep their numbers."""
    writer, key, rows = SketchWriter(), np.array([7], np.uint64), np.array([0])
    writer.skip(2)
    writer.add(Sketch(key, rows, np.array([[5]], np.uint32)), 1, np.array([1.5]))
    writer.skip(1)
    writer.add(Sketch(key, rows, np.array([[6]], np.uint32)), 1, np.array([0.5]))
    writer.skip(0)
    writer.write(tmp_path / "keys", tmp_path / "rows")
    sketch = SketchFile(tmp_path / "keys", tmp_path / "rows")
    assert sketch.slice(0, KEY_SPACE).row.tolist() == [2, 4]
    assert sketch.rank(np.arange(5)).tolist() == [np.inf, np.inf, 1.5, np.inf, 0.5]
    assert sketch.evidence(np.arange(5)).ravel().tolist() == [0, 0, 5, 0, 6]


def test_a_part_of_skipped_rows_alone(tmp_path):
    """Keys there are none, nor row data."""
    writer = SketchWriter()
    writer.skip(3)
    writer.write(tmp_path / "keys", tmp_path / "rows")
    assert (writer.rows, writer.has_row_data, writer.has_rank) == (3, False, False)
    assert not len(SketchFile(tmp_path / "keys").slice(0, KEY_SPACE).row)


def test_no_row_data_no_file(tmp_path):
    """A sketch without rank and evidence makes one file."""
    writer = SketchWriter()
    writer.add(Sketch(np.array([5], np.uint64), np.array([1])), 2)
    writer.write(tmp_path / "keys", tmp_path / "rows")
    assert not writer.has_row_data
    assert not (tmp_path / "rows").exists()
    assert not SketchFile(tmp_path / "keys").has_rank


def test_many_files_stay_open_without_descriptors(tmp_path):
    """An open sketch file holds no file descriptor: a join opens more files than a process may."""
    fds = Path("/proc/self/fd")
    if not fds.exists():
        pytest.skip("no /proc to count descriptors in")
    paths = write(tmp_path, [[1], [2]], [])
    before = len(list(fds.iterdir()))
    sketches = [SketchFile(*paths) for _ in range(50)]
    assert all(sketch.rank(np.array([1]))[0] == 1.0 for sketch in sketches)
    assert len(list(fds.iterdir())) == before


@pytest.mark.parametrize("damage", ["cut", "empty", "gone"])
def test_damaged_file_is_a_store_error(tmp_path, damage):
    """A short, empty or missing file is told as such, with its name."""
    path = write(tmp_path, [[1], [2]], [])[0]
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-40] if damage == "cut" else b"")
    with pytest.raises(StoreError, match=r"cannot read the column file .*keys"):
        SketchFile(path)


GOOD = np.array([1, 2], np.uint64)


@pytest.mark.parametrize(
    ("sketch", "rank", "told"),
    [
        (Sketch(GOOD.astype(np.int64), np.array([0, 1])), None, "keys are int64"),
        (Sketch(np.zeros((2, 3), np.uint64), np.array([0, 1])), None, r"keys are uint64 \(2, 3\)"),
        (Sketch(GOOD, np.array([0])), None, "rows are int64"),
        (Sketch(GOOD, np.array([0, 2])), None, "rows span 0 to 2"),
        (Sketch(GOOD, np.array([0, -1])), None, "rows span -1 to 0"),
        (Sketch(GOOD, np.array([0, 1]), np.zeros((3, 4))), None, "evidence is"),
        (Sketch(GOOD, np.array([0, 1]), np.array([["a"], ["b"]])), None, "evidence is <U1"),
        (Sketch(GOOD, np.array([0, 1])), np.zeros(3), "ranks are"),
    ],
)
def test_broken_sketches_are_refused(sketch, rank, told):
    """What breaks the contract of a sketch is an operator's error that names the operator."""
    with pytest.raises(OperatorError, match=told) as caught:
        SketchWriter("dedup.fake").add(sketch, 2, rank)
    assert caught.value.where == "dedup.fake"


def test_width_may_not_change():
    """Keys of one width, evidence of one type, and ranks for all batches or none."""
    writer = SketchWriter()
    writer.add(Sketch(GOOD, np.array([0, 1]), np.zeros((2, 4), np.uint32)), 2)
    rows = np.array([0])
    with pytest.raises(OperatorError, match="keys change"):
        writer.add(Sketch(np.zeros((1, 2), np.uint64), rows), 1)
    with pytest.raises(OperatorError, match="evidence changes"):
        writer.add(Sketch(GOOD[:1], rows, np.zeros((1, 5), np.uint32)), 1)
    with pytest.raises(OperatorError, match="some batches are ranked"):
        writer.add(Sketch(GOOD[:1], rows), 1, np.zeros(1))
