"""The footer of a Parquet file, read without Arrow: some damage of it ends the process that asks Arrow about columns.

Measured with pyarrow 26: where a histogram of levels has another length than its column's schema wants,
`metadata.row_group(0).column(0)` throws an exception that nobody catches.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO, Any

from corpusmill import CorruptFile
from corpusmill_plugins.readers.thrift import Compact, Fields

_BYTE_ARRAY, _DELTA_BYTE_ARRAY = 6, 7
_CODECS = ("uncompressed", "snappy", "gzip", "lzo", "brotli", "lz4", "zstd", "lz4_raw")


@dataclass(frozen=True)
class Chunk:
    """One column of a row group: `path` of its column, `codec` by Arrow's name, bytes [start, start + stored).

    `texts`: whether its values are byte arrays. `prefixed`: whether values may share beginnings with those before.
    """

    path: str
    codec: str
    start: int
    stored: int
    texts: bool
    prefixed: bool


@dataclass(frozen=True)
class RowGroup:
    """Rows and plain bytes as the footer tells them, and the chunks of all columns."""

    rows: int
    plain: int
    chunks: list[Chunk]

    @property
    def stored(self) -> int:
        """Bytes in the file."""
        return sum(chunk.stored for chunk in self.chunks)


def row_groups(handle: IO[bytes], size: int, name: str) -> list[RowGroup]:
    """Return the row groups of a file of `size` bytes whose footer Arrow has read; raises CorruptFile."""
    handle.seek(size - 8)
    length = int.from_bytes(handle.read(8)[:4], "little")
    handle.seek(max(0, size - 8 - length))
    data = handle.read(length)
    try:
        fields = Compact(data, most=len(data)).struct()
        return [_group(one) for one in fields.get(4) or ()]
    except (IndexError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise CorruptFile(name, f"a damaged footer ({error or 'it ends early'})", offset=size - 8 - length) from None


def _group(fields: Fields) -> RowGroup:
    return RowGroup(_number(fields[3]), _number(fields[2]), [_chunk(one[3]) for one in fields[1]])


def _chunk(fields: Fields) -> Chunk:
    data, dictionary = _number(fields[9]), fields.get(11)
    start = dictionary if isinstance(dictionary, int) and 0 < dictionary < data else data
    codec = _number(fields[4])
    if codec >= len(_CODECS):
        raise ValueError(f"compression {codec}")
    return Chunk(
        ".".join(part.decode() for part in fields[3]),
        _CODECS[codec],
        start,
        _number(fields[7]),
        fields[1] == _BYTE_ARRAY,
        _DELTA_BYTE_ARRAY in fields[2],
    )


def _number(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} where a number should be")
    return value
