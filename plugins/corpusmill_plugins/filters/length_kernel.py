"""The compiled word counter of filter.length: one pass over the UTF-8 bytes of a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

UNSPACED = (
    (0x3005, 0x3007),
    (0x3040, 0x30FF),
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0xFF66, 0xFF9F),
    (0x20000, 0x323AF),
)
"""Code points of scripts written without spaces (Han, kana): each is a word."""
SPACE, LETTER, ALONE = 0, 1, 2
_TABLE = np.full(0x32400, LETTER, np.uint8)
for _first, _last in UNSPACED:
    _TABLE[_first : _last + 1] = ALONE
for _point in range(0x3001):
    if chr(_point).isspace():
        _TABLE[_point] = SPACE


def count_words(texts: pa.LargeStringArray) -> npt.NDArray[np.int64]:
    """Return int64 (rows,): the words of each text; nulls have none. Slices and nulls are fine."""
    texts = texts.fill_null("")
    _, offsets, data = texts.buffers()
    starts = np.frombuffer(offsets, np.int64)[texts.offset : texts.offset + len(texts) + 1]
    bytes_ = np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)
    return _count(bytes_, starts, _TABLE)


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _count(data, starts, table):  # type: ignore[no-untyped-def]
    counts = np.zeros(len(starts) - 1, np.int64)
    for row in range(len(counts)):
        at, stop, words, before = starts[row], starts[row + 1], 0, 0
        while at < stop:
            first = data[at]
            if first < 0x80:
                point, at = np.uint32(first), at + 1
            elif first < 0xE0:
                point, at = np.uint32((first & 0x1F) << 6 | data[at + 1] & 0x3F), at + 2
            elif first < 0xF0:
                point = np.uint32((first & 0x0F) << 12 | (data[at + 1] & 0x3F) << 6 | data[at + 2] & 0x3F)
                at += 3
            else:
                high = (first & 0x07) << 18 | (data[at + 1] & 0x3F) << 12
                point, at = np.uint32(high | (data[at + 2] & 0x3F) << 6 | data[at + 3] & 0x3F), at + 4
            kind = table[point] if point < len(table) else 1
            if kind == 2 or (kind == 1 and before != 1):
                words += 1
            before = kind
        counts[row] = words
    return counts
