"""The digest of rows: xxh3-128 over logical columns, independent of batches, codec and physical layout."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import xxhash

from corpusmill.dataset.canonical import offsets_of
from corpusmill.dataset.hashing import hash_json
from corpusmill.dataset.schema import describe_schema


class RowDigest:
    """Feeds canonical batches of one schema into one digest.

    Each column is up to three streams (validity, lengths, values), each hashed on its own, so that the cut into
    batches leaves no trace. Batches must be canonical: zeros under nulls.
    """

    def __init__(self, schema: pa.Schema):
        self._schema = schema
        self._streams: dict[str, xxhash.xxh3_128] = {}
        self.rows = 0

    def update(self, batch: pa.RecordBatch) -> None:
        """Add the rows of a canonical batch."""
        self.rows += batch.num_rows
        for index, column in enumerate(batch.columns):
            _feed(column, str(index), self._feed)

    def hexdigest(self) -> str:
        """Return the digest of all rows so far, 32 hex digits."""
        streams = {path: stream.hexdigest() for path, stream in self._streams.items()}
        return hash_json([describe_schema(self._schema), self.rows, streams])

    def _feed(self, path: str, data: object) -> None:
        stream = self._streams.get(path)
        if stream is None:
            stream = self._streams[path] = xxhash.xxh3_128()
        stream.update(data)  # type: ignore[arg-type]


def _feed(array: pa.Array, path: str, feed: Callable[[str, object], None]) -> None:
    """Hash one column: its validity, then its values by type."""
    kind = array.type
    if len(array) == 0 or pa.types.is_null(kind):
        return
    valid = array.is_valid().to_numpy(zero_copy_only=False).tobytes() if array.null_count else b"\1" * len(array)
    feed(f"{path}v", valid)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_large_binary(kind):
        _feed_strings(array, path, feed)
    elif pa.types.is_large_list(kind):
        offsets = offsets_of(array, np.int64)
        feed(f"{path}n", np.diff(offsets))
        _feed(array.values.slice(int(offsets[0]), int(offsets[-1] - offsets[0])), f"{path}.", feed)
    elif pa.types.is_struct(kind):
        for child in range(kind.num_fields):
            _feed(array.field(child), f"{path}.{child}", feed)
    elif pa.types.is_boolean(kind):
        feed(f"{path}d", array.fill_null(False).to_numpy(zero_copy_only=False).tobytes())
    else:
        width = kind.bit_width // 8
        data = array.buffers()[1]
        feed(f"{path}d", memoryview(data)[array.offset * width : (array.offset + len(array)) * width])


def _feed_strings(array: pa.Array, path: str, feed: Callable[[str, object], None]) -> None:
    wide = not pa.types.is_string(array.type)
    offsets = offsets_of(array, np.int64 if wide else np.int32)
    feed(f"{path}n", np.diff(offsets).astype(np.int64))
    data = array.buffers()[2]
    if data is not None:
        feed(f"{path}d", memoryview(data)[int(offsets[0]) : int(offsets[-1])])
