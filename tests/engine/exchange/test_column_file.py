"""Column files: what is written is read back, equal columns are equal bytes."""

from __future__ import annotations

import numpy as np
import pytest

from corpusmill.exchange.column_file import read_columns, write_columns


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8"])
@pytest.mark.parametrize("shape", [(0,), (5,), (0, 3), (5, 3)])
def test_round_trip(tmp_path, dtype, shape):
    """Every fixed-width type, one- and two-dimensional, also without rows, comes back as a read-only view."""
    array = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    write_columns(tmp_path / "file", {"a": array, "b": array}, {"rows": "5"})
    columns, metadata = read_columns(tmp_path / "file")
    assert list(columns) == ["a", "b"]
    assert metadata == {"rows": "5"}
    assert columns["b"].dtype == np.dtype(dtype)
    assert columns["b"].shape == shape
    assert columns["b"].tolist() == array.tolist()
    assert array.size == 0 or not columns["b"].flags.writeable


def test_equal_columns_are_equal_bytes(tmp_path):
    """Views, strides and the order of metadata leave no trace in the file."""
    whole = np.arange(40, dtype=np.int64).reshape(10, 4)
    write_columns(tmp_path / "one", {"a": whole[2:8, 1], "b": whole[2:8, 1:3]}, {"x": "1", "y": "2"})
    write_columns(tmp_path / "two", {"a": whole[2:8, 1].copy(), "b": whole[2:8, 1:3].copy()}, {"y": "2", "x": "1"})
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
