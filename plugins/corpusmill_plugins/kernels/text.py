"""A column of text as the kernels see it: one padded byte buffer and where each row starts and ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pyarrow as pa

PADDING = 64
"""Zero bytes after the text, so that 8-byte loads never leave the buffer. Arrow promises no padding we may read."""


@dataclass(frozen=True)
class TextBuffer:
    """UTF-8 of some rows.

    `data`: uint8 (bytes + PADDING,). `starts`, `ends`: int64 (rows,), byte offsets into `data`; a null row is empty
    (start == end). `valid`: bool (rows,), False for null.
    """

    data: npt.NDArray[np.uint8]
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    valid: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.starts)

    @classmethod
    def of(cls, array: pa.Array | pa.ChunkedArray) -> TextBuffer:
        """Take a string, large_string or view array, sliced or chunked, with or without nulls.

        Only the bytes of the slice are copied (once: a copy costs a hundredth of any kernel).
        """
        import pyarrow as pa

        if isinstance(array, pa.ChunkedArray):
            array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
        if not (pa.types.is_string(array.type) or pa.types.is_large_string(array.type)):
            array = array.cast(pa.large_string())
        rows = len(array)
        valid = np.ones(rows, np.bool_) if array.null_count == 0 else array.is_valid().to_numpy(zero_copy_only=False)
        if rows == 0 or array.buffers()[1] is None:
            nothing = np.zeros(rows, np.int64)
            return cls(np.zeros(PADDING, np.uint8), nothing, nothing.copy(), valid)
        width = np.int64 if pa.types.is_large_string(array.type) else np.int32
        offsets = np.frombuffer(array.buffers()[1], width)[array.offset : array.offset + rows + 1].astype(np.int64)
        data = _padded(array.buffers()[2], int(offsets[0]), int(offsets[-1]))
        offsets -= offsets[0]
        starts = np.ascontiguousarray(offsets[:-1])
        return cls(data, starts, np.where(valid, offsets[1:], starts), valid)

    @classmethod
    def of_texts(cls, texts: Any) -> TextBuffer:
        """Take an iterable of str or None."""
        import pyarrow as pa

        return cls.of(pa.array(list(texts), pa.large_string()))

    def longest(self) -> int:
        """Bytes of the longest row; 0 without rows."""
        return int((self.ends - self.starts).max()) if len(self) else 0


def _padded(buffer: Any, start: int, stop: int) -> npt.NDArray[np.uint8]:
    data = np.zeros(stop - start + PADDING, np.uint8)
    if stop > start:
        data[: stop - start] = np.frombuffer(buffer, np.uint8)[start:stop]
    return data
