"""Page headers of a Parquet column chunk: what its pages say of their own sizes, whatever the footer claims."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from corpusmill import CorruptFile

if TYPE_CHECKING:
    from pyarrow.parquet import ColumnChunkMetaData

HEADER = 512
"""Bytes read at once for a header: most have 20 to 60, those with long statistics more."""
LONGEST_HEADER = 16 << 20
DICTIONARY_PAGE = 2
DEEPEST = 8
MOST_ITEMS = 1000


@dataclass
class PageSizes:
    """Bytes of a chunk's pages: `stored` and `plain` in all, the `largest` once decompressed.

    `dictionary`: (place in the file, stored bytes, plain bytes) of the page of values that rows refer to.
    """

    stored: int = 0
    plain: int = 0
    largest: int = 0
    dictionary: tuple[int, int, int] | None = None


def page_sizes(handle: IO[bytes], chunk: ColumnChunkMetaData, name: str) -> PageSizes:
    """Return the sizes in the headers of all pages of a chunk; raises CorruptFile where they cannot be followed.

    A footer may lie about sizes, and readers believe page headers: so does what guards their memory.
    """
    first = chunk.data_page_offset
    if chunk.dictionary_page_offset is not None and 0 < chunk.dictionary_page_offset < first:
        first = chunk.dictionary_page_offset
    if first < 0:
        raise CorruptFile(name, "a column that starts before the file")
    sizes, at, end = PageSizes(), first, first + chunk.total_compressed_size
    while at < end:
        fields, length = _header(handle, at, name)
        kind, plain, stored = (fields.get(number) for number in (1, 2, 3))
        if not isinstance(plain, int) or not isinstance(stored, int) or plain < 0 or stored < 0:
            raise CorruptFile(name, "a page header without sizes", offset=at)
        sizes.stored += stored
        sizes.plain += plain
        sizes.largest = max(sizes.largest, plain)
        if kind == DICTIONARY_PAGE:
            sizes.dictionary = (at + length, stored, plain)
        at += length + stored
    return sizes


def largest_value(handle: IO[bytes], chunk: ColumnChunkMetaData, sizes: PageSizes) -> int:
    """Return the bytes of the largest value that any number of rows may repeat, for next to nothing in the file.

    Values of a dictionary, and (DELTA_BYTE_ARRAY) those that share their beginning with the value before. How far
    these expand shows only row by row.
    """
    if "DELTA_BYTE_ARRAY" in chunk.encodings:
        return sizes.largest
    if sizes.dictionary is None or chunk.physical_type != "BYTE_ARRAY":
        return 0
    import pyarrow as pa

    at, stored, plain = sizes.dictionary
    handle.seek(at)
    data = handle.read(stored)
    try:
        values = data if chunk.compression == "UNCOMPRESSED" else pa.decompress(data, plain, chunk.compression.lower())
    except (pa.ArrowException, OSError, ValueError):
        return plain  # Arrow will say so too, or knows a variant of the codec
    largest = place = 0
    values = memoryview(values)
    while place + 4 <= len(values):
        length = int.from_bytes(values[place : place + 4], "little")
        largest, place = max(largest, length), place + 4 + length
    return min(largest, plain)


def _header(handle: IO[bytes], at: int, name: str) -> tuple[dict[int, Any], int]:
    size = HEADER
    while True:
        handle.seek(at)
        data = handle.read(size)
        try:
            reader = _Compact(data)
            return reader.struct(), reader.at
        except IndexError:
            if len(data) < size or size >= LONGEST_HEADER:
                raise CorruptFile(name, "a page header that does not end", offset=at) from None
            size *= 16
        except ValueError as error:
            raise CorruptFile(name, f"a damaged page header ({error})", offset=at) from None


class _Compact:
    """Reads values of Thrift's compact protocol; raises IndexError at the end of the data, ValueError for nonsense."""

    def __init__(self, data: bytes):
        self._data, self.at = data, 0

    def struct(self, depth: int = 0) -> dict[int, Any]:
        """Return the numbers among a struct's fields by field number; all else is passed over."""
        if depth > DEEPEST:
            raise ValueError("nested too deep")
        fields: dict[int, Any] = {}
        number = 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._zigzag()
            fields[number] = self._value(head & 15, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        match kind:
            case 1 | 2:
                return kind == 1
            case 3:
                return self._byte()
            case 4 | 5 | 6:
                return self._zigzag()
            case 7:
                return self._skip(8)
            case 8:
                return self._skip(self._varint())
            case 9 | 10:
                return self._items(depth)
            case 12:
                return self.struct(depth + 1)
        raise ValueError(f"field of kind {kind}")

    def _items(self, depth: int) -> None:
        head = self._byte()
        count = head >> 4 if head >> 4 < 15 else self._varint()
        if depth > DEEPEST or count > MOST_ITEMS:
            raise ValueError("a list in which none should be")
        for _ in range(count):
            # In a list a truth value takes a byte.
            self._value(3 if head & 15 in (1, 2) else head & 15, depth + 1)

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7
            if shift > 63:
                raise ValueError("a number without end")

    def _byte(self) -> int:
        value = self._data[self.at]
        self.at += 1
        return value

    def _skip(self, size: int) -> None:
        if self.at + size > len(self._data):
            raise IndexError
        self.at += size
