"""Small files of every format that is read, changed by one bit or cut short, and what a reader makes of them."""

from __future__ import annotations

import base64
import gzip
import hashlib
import importlib
import io
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import IO, Any

EXACT, REPORTED, DIFFERING, FEWER = "exact", "reported", "differing", "fewer"
"""All rows as they were; an error or a record in quarantine; other rows or values unnoticed; rows lost unnoticed."""
DOCUMENTS = 40


@dataclass(frozen=True)
class Format:
    """A file format as it is read: how it is made, and by which reader.

    `checksummed`: throughout. `letters`: what separates or marks its documents are letters like all others, so that one
    that changes may take a document with it.
    """

    name: str
    file: str
    make: Callable[[], bytes]
    reader: str
    options: dict[str, Any] = field(default_factory=dict)
    checksummed: bool = False
    letters: bool = False


@dataclass(frozen=True)
class MemoryFile:
    """An input file that lies in memory."""

    name: str
    data: bytes

    @property
    def size(self) -> int:
        """Stored bytes."""
        return len(self.data)

    def open(self) -> IO[bytes]:
        """Open for random access."""
        return io.BytesIO(self.data)


def texts() -> list[str]:
    """Make documents of 3 to 60 words with letters, digits and marks, the same each time."""
    draw = random.Random(11)
    words = ["river", "stone", "bright", "café", "Straße", "1984", "window,", "the", "of", "quiet.", "汉字", "42"]
    return [" ".join(draw.choices(words, k=draw.randrange(3, 60))) for _ in range(DOCUMENTS)]


def plain_text() -> bytes:
    """Paragraphs."""
    return "\n\n".join(texts()).encode()


def json_lines() -> bytes:
    """A record a line."""
    import orjson

    rows = [{"text": text, "id": number, "tags": ["a", "b"]} for number, text in enumerate(texts())]
    return b"".join(orjson.dumps(row) + b"\n" for row in rows)


def gzip_members() -> bytes:
    """The same as gzip, ten records a member."""
    lines = json_lines().splitlines(keepends=True)
    return b"".join(gzip.compress(b"".join(lines[at : at + 10]), mtime=0) for at in range(0, len(lines), 10))


def zstd(*, checksum: bool) -> bytes:
    """The same as one zstd frame."""
    import zstandard

    return bytes(zstandard.ZstdCompressor(write_checksum=checksum).compress(json_lines()))


def warc(pack: Callable[[bytes], bytes], *, digests: bool) -> bytes:
    """A response a document."""
    records = []
    for number, text in enumerate(texts()):
        page = f"<html><title>{number}</title><p>{text}</p>\n".encode()
        block = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(page)}\r\n\r\n".encode() + page
        digest = base64.b32encode(hashlib.sha1(block, usedforsecurity=False).digest()).decode()
        head = f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://example.org/{number}\r\n"
        head += "WARC-Date: 2026-01-01T00:00:00Z\r\nContent-Type: application/http; msgtype=response\r\n"
        head += f"WARC-Block-Digest: sha1:{digest}\r\n" if digests else ""
        records.append(pack(f"{head}Content-Length: {len(block)}\r\n\r\n".encode() + block + b"\r\n\r\n"))
    return b"".join(records)


def parquet(*, checksum: bool, codec: str) -> bytes:
    """Four row groups."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    table = pa.table({"text": texts(), "number": list(range(DOCUMENTS))})
    pq.write_table(table, sink, row_group_size=10, write_page_checksum=checksum, compression=codec)
    return sink.getvalue()


def packed(data: bytes) -> bytes:
    """One gzip member, without a time in it."""
    return gzip.compress(data, mtime=0)


_JSONL, _TEXT = "jsonl:Jsonl", "text:Text"
_WARC, _PARQUET = "warc:Warc", "parquet:Parquet"
_COLUMNS = {"columns": ["text", "number"]}
FORMATS = (
    Format("plain text, by paragraph", "a.txt", plain_text, _TEXT, {"document": "paragraph"}, letters=True),
    Format("JSON Lines", "a.jsonl", json_lines, _JSONL),
    Format("JSON Lines, gzip", "a.jsonl.gz", lambda: packed(json_lines()), _JSONL, checksummed=True),
    Format("JSON Lines, gzip of several members", "a.jsonl.gz", gzip_members, _JSONL, checksummed=True),
    Format("JSON Lines, zstd with checksum", "a.jsonl.zst", lambda: zstd(checksum=True), _JSONL, checksummed=True),
    Format("JSON Lines, zstd without checksum", "a.jsonl.zst", lambda: zstd(checksum=False), _JSONL),
    Format("WARC, gzip a record", "a.warc.gz", lambda: warc(packed, digests=True), _WARC, checksummed=True),
    Format("WARC with digests", "a.warc", lambda: warc(bytes, digests=True), _WARC),
    Format("WARC without digests", "a.warc", lambda: warc(bytes, digests=False), _WARC, letters=True),
    Format(
        "Parquet with page checksums", "a.parquet", lambda: parquet(checksum=True, codec="zstd"), _PARQUET, _COLUMNS
    ),
    Format("Parquet, zstd", "a.parquet", lambda: parquet(checksum=False, codec="zstd"), _PARQUET, _COLUMNS),
    Format("Parquet, not compressed", "a.parquet", lambda: parquet(checksum=False, codec="none"), _PARQUET, _COLUMNS),
)


def flips(data: bytes, percents: range, bits: range = range(1)) -> Iterator[bytes]:
    """Yield the data with one bit changed, at each of these percents of its length; `bits`: how many at each place."""
    for percent in percents:
        place = min(len(data) - 1, len(data) * percent // 100)
        for bit in bits:
            changed = bytearray(data)
            changed[place] ^= 1 << ((percent * 5 + bit) % 8)
            yield bytes(changed)


def cuts(data: bytes, percents: range) -> Iterator[bytes]:
    """Yield the data cut short at each of these percents."""
    for percent in percents:
        yield data[: len(data) * percent // 100]


def read(format_: Format, data: bytes) -> tuple[list[dict[str, Any]], int]:
    """Return the rows of a file and how many records were turned away; raises what the reader raises."""
    from corpusmill import Slice

    module, _, name = format_.reader.partition(":")
    kind = getattr(importlib.import_module(f"corpusmill_plugins.readers.{module}"), name)
    file = MemoryFile(format_.file, data)
    first = kind(kind.Options(paths="*", **format_.options))
    first.prepare([file])
    reader = kind(first.options, first.context)
    reader.restore(first.state())
    rows: list[dict[str, Any]] = []
    rejected = 0

    def reject(raw: bytes, offset: int, reason: str, detail: str = "", length: int | None = None) -> None:
        nonlocal rejected
        rejected += 1

    for start, stop in reader.ranges(file):
        for batch in reader.read(Slice(file, start, stop), reject):
            batch.validate(full=True)
            rows += batch.to_pylist()
    return rows, rejected


def outcome(format_: Format, whole: list[dict[str, Any]], data: bytes) -> str:
    """Return what became of changed data; an exception that is no report is passed on."""
    from corpusmill import InputError

    try:
        rows, rejected = read(format_, data)
    except InputError:
        return REPORTED
    if rejected:
        return REPORTED
    if rows == whole:
        return EXACT
    return FEWER if len(rows) < len(whole) else DIFFERING
