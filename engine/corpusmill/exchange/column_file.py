"""Fixed-width NumPy columns as one uncompressed Arrow IPC batch: written whole, read through a memory map."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpusmill.dataset.hashing import HashedSink
from corpusmill.dataset.store import write_errors
from corpusmill.errors import StoreError

_DTYPES: dict[str, str] = {
    "uint8": "u1", "uint16": "u2", "uint32": "u4", "uint64": "u8",
    "int8": "i1", "int16": "i2", "int32": "i4", "int64": "i8",
    "halffloat": "f2", "float": "f4", "double": "f8",
}  # fmt: skip


def write_columns(path: str | Path, columns: Mapping[str, npt.NDArray[Any]], metadata: Mapping[str, str]) -> None:
    """Write columns of equal length to `path` as an Arrow IPC file.

    Each column is (n,), or (n, k) with k >= 1, of integers or floats. Exactly one batch is written, also for n = 0,
    metadata in the order of its keys, so that equal columns give equal bytes. The caller publishes the file.
    """
    arrays = [_to_arrow(array) for array in columns.values()]
    fields = [pa.field(name, array.type, nullable=False) for name, array in zip(columns, arrays, strict=True)]
    schema = pa.schema(fields, metadata=dict(sorted(metadata.items())))
    batch = pa.RecordBatch.from_arrays(arrays, schema=schema)
    with (
        write_errors(str(path)),
        HashedSink(Path(path)) as sink,
        pa.ipc.new_file(pa.PythonFile(sink, "w"), schema) as writer,
    ):
        writer.write_batch(batch)


def read_columns(path: str | Path) -> tuple[dict[str, npt.NDArray[Any]], dict[str, str]]:
    """Return the columns of `path` as read-only views of a memory map, and the file's metadata.

    No file descriptor stays open: a join may hold tens of thousands of files. Raises StoreError when the file is
    missing, cut short, or was not written by `write_columns`.
    """
    try:
        with pa.memory_map(str(path)) as source:
            reader = pa.ipc.open_file(source)
            if reader.num_record_batches != 1:
                raise pa.ArrowInvalid(f"{reader.num_record_batches} batches instead of one")
            batch, metadata = reader.get_batch(0), reader.schema.metadata or {}
            columns = batch_columns(batch)
    except (pa.ArrowException, OSError, KeyError) as error:
        raise StoreError(
            f"cannot read the column file {str(path)!r}: {error}",
            where=str(path),
            expected="an Arrow IPC file of one uncompressed batch of numbers",
            hint="delete the file's commit record and run again; the step that made it is redone",
        ) from error
    return columns, {key.decode(): value.decode() for key, value in metadata.items()}


def batch_columns(batch: pa.RecordBatch) -> dict[str, npt.NDArray[Any]]:
    """Return the columns of a batch that `write_columns` wrote as views of it; raises KeyError for any other type."""
    return {name: _to_numpy(batch.column(name)) for name in batch.schema.names}


def _to_arrow(array: npt.NDArray[Any]) -> pa.Array:
    # from_buffers, because the first pa.array() of a process imports pandas where it is installed
    flat = np.ascontiguousarray(array).reshape(-1)
    values = pa.Array.from_buffers(pa.from_numpy_dtype(flat.dtype), flat.size, [None, pa.py_buffer(flat)])
    return values if array.ndim == 1 else pa.FixedSizeListArray.from_arrays(values, array.shape[1])


def _to_numpy(array: pa.Array) -> npt.NDArray[Any]:
    if not pa.types.is_fixed_size_list(array.type):
        return _primitive(array)
    return _primitive(array.values).reshape(len(array), array.type.list_size)


def _primitive(array: pa.Array) -> npt.NDArray[Any]:
    dtype = np.dtype(_DTYPES[str(array.type)])
    if len(array) == 0:
        return np.empty(0, dtype)
    return np.frombuffer(array.buffers()[1], dtype, len(array), array.offset * dtype.itemsize)
