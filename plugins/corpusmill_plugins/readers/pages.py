"""Page headers of a Parquet column chunk: what its pages say of their own sizes, whatever the footer claims."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO

from corpusmill import CorruptFile
from corpusmill_plugins.readers.footer import Chunk
from corpusmill_plugins.readers.thrift import Compact, Fields

HEADER = 512
"""Bytes read at once for a header: most have 20 to 60, those with long statistics more."""
LONGEST_HEADER = 16 << 20
DICTIONARY_PAGE = 2
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


def page_sizes(handle: IO[bytes], chunk: Chunk, name: str) -> PageSizes:
    """Return the sizes in the headers of all pages of a chunk; raises CorruptFile where they cannot be followed.

    A footer may lie about sizes, and readers believe page headers: so does what guards their memory.
    """
    sizes, at, end = PageSizes(), chunk.start, chunk.start + chunk.stored
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


def largest_value(handle: IO[bytes], chunk: Chunk, sizes: PageSizes) -> int:
    """Return the bytes of the largest value that any number of rows may repeat, for next to nothing in the file.

    Values of a dictionary, and (DELTA_BYTE_ARRAY) those that share their beginning with the value before. How far
    these expand shows only row by row.
    """
    if chunk.prefixed:
        return sizes.largest
    if sizes.dictionary is None or not chunk.texts:
        return 0
    import pyarrow as pa

    at, stored, plain = sizes.dictionary
    handle.seek(at)
    data = handle.read(stored)
    try:
        values = data if chunk.codec == "uncompressed" else pa.decompress(data, plain, chunk.codec)
    except (pa.ArrowException, OSError, ValueError):
        return plain  # Arrow will say so too, or knows a variant of the codec
    largest = place = 0
    values = memoryview(values)
    while place + 4 <= len(values):
        length = int.from_bytes(values[place : place + 4], "little")
        largest, place = max(largest, length), place + 4 + length
    return min(largest, plain)


def _header(handle: IO[bytes], at: int, name: str) -> tuple[Fields, int]:
    size = HEADER
    while True:
        handle.seek(at)
        data = handle.read(size)
        try:
            reader = Compact(data, MOST_ITEMS)
            return reader.struct(), reader.at
        except IndexError:
            if len(data) < size or size >= LONGEST_HEADER:
                raise CorruptFile(name, "a page header that does not end", offset=at) from None
            size *= 16
        except ValueError as error:
            raise CorruptFile(name, f"a damaged page header ({error})", offset=at) from None
