"""The engine's own columns: ids made from places, file names, sources."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import xxhash

from corpusmill.dataset.schema import ENGINE_COLUMNS
from corpusmill.runner.applied import set_column

_HEX = np.array([ord(a) | ord(b) << 8 for a in "0123456789abcdef" for b in "0123456789abcdef"], np.uint16)
_M1, _M2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def place_ids(source: str, file: str, offsets: np.ndarray) -> pa.Array:
    """Return 128-bit ids, 32 hex digits each, of int64 positions (n,) in a file of an input, without a Python loop.

    Both halves are a splitmix64 finaliser over the position, salted by the halves of the names' xxh3-128: for one
    file each half is a bijection of the position, so two records of a file never share an id.
    """
    halves = _mixed(offsets.astype(np.uint64)[:, np.newaxis], _salts(source, file))
    digits = _HEX[halves.view(np.uint8)]
    ends = np.arange(0, len(offsets) * 32 + 1, 32, dtype=np.int32)
    return pa.Array.from_buffers(pa.string(), len(offsets), [None, pa.py_buffer(ends), pa.py_buffer(digits)])


@lru_cache(maxsize=1024)
def _salts(source: str, file: str) -> np.ndarray:
    # No name holds a NUL, so no two pairs of names are hashed as the same bytes.
    return np.frombuffer(xxhash.xxh3_128_digest(f"{source}\0{file}".encode()), np.uint64)


def with_places(batch: pa.RecordBatch, reader: Any, file: str) -> pa.RecordBatch:
    """Return a reader's batch with `id`, `file` and `source`; ids come from a column when one is named."""
    if reader.options.id is not None:
        ids = batch.column(reader.options.id).cast(pa.string())
    else:
        ids = place_ids(reader.input_name, file, np.asarray(batch.column("offset")))
    batch = set_column(batch, "id", ids)
    name = pa.repeat(pa.scalar(file, ENGINE_COLUMNS["file"]), batch.num_rows)
    batch = set_column(batch, "file", name)
    return batch if batch.schema.get_field_index("source") >= 0 else set_column(batch, "source", name)


def _mixed(values: np.ndarray, salt: np.ndarray) -> np.ndarray:
    mixed = values ^ salt
    mixed = (mixed ^ (mixed >> np.uint64(30))) * _M1
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _M2
    return np.asarray(mixed ^ (mixed >> np.uint64(31)) ^ (salt << np.uint64(1)))
