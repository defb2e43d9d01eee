"""Stored files as plain byte streams: decompression in constant memory that notices truncation, damage and bombs."""

from __future__ import annotations

import re
import zlib
from collections import deque
from types import TracebackType
from typing import IO, Any

from corpusmill import CorruptFile, InputFile, ReadLimits

STORED_CHUNK = 64 << 10
MAGICS = {"gzip": b"\x1f\x8b", "zstd": b"\x28\xb5\x2f\xfd"}
SUFFIXES = {".gz": "gzip", ".zst": "zstd"}
FOREIGN = {
    "bzip2": re.compile(rb"BZh[1-9]1AY&SY"),
    "xz": re.compile(rb"\xfd7zXZ\0"),
    "zip": re.compile(rb"PK\x03\x04"),
    "7z": re.compile(rb"7z\xbc\xaf\x27\x1c"),
    "lz4": re.compile(rb"\x04\x22\x4d\x18"),
}
"""Archives and compressions that nobody reads as text: name -> how they begin."""


def compression(file: InputFile) -> str | None:
    """Return `gzip`, `zstd` or None: what the name says, else what the first bytes say.

    Raises CorruptFile where the name promises a compression and the file is empty (even empty data compresses to some
    bytes, so such a file was cut), and for packed files that are not read.
    """
    for suffix, name in SUFFIXES.items():
        if file.name.lower().endswith(suffix):
            if file.size == 0:
                raise CorruptFile(file.name, f"no data at all in a {name} file (truncated)", offset=0)
            return name
    with file.open() as handle:
        head = handle.read(10)
    foreign = next((name for name, start in FOREIGN.items() if start.match(head)), None)
    if foreign is not None:
        raise CorruptFile(file.name, f"{foreign} is not read: unpack it, or pack it again as gzip or zstd", offset=0)
    return next((name for name, magic in MAGICS.items() if head.startswith(magic)), None)


def open_plain(file: InputFile, limits: ReadLimits, start: int = 0, stop: int | None = None) -> PlainStream:
    """Open a file as a decompressed stream. `start` and `stop` (bytes) hold for files that are stored plain."""
    name = compression(file)
    if name == "gzip":
        return GzipStream(file, limits)
    if name == "zstd":
        return ZstdStream(file, limits)
    return StoredStream(file, start, file.size if stop is None else stop)


class PlainStream:
    """A forward-only stream of plain bytes.

    `read` returns b"" only after the end was verified. `position`: plain bytes handed out so far.
    """

    def __init__(self, file: InputFile, limits: ReadLimits | None = None):
        self.name = file.name
        self.position = 0
        self._limits = limits or ReadLimits()
        self._raw = Watched(file.open())

    def read(self, size: int) -> bytes:
        """Return at least one and at most `size` bytes, or b"" at the end; raises CorruptFile."""
        raise NotImplementedError

    def read_full(self, size: int) -> bytes:
        """Return exactly `size` bytes, fewer only at the end."""
        pieces = []
        while size > 0 and (piece := self.read(size)):
            pieces.append(piece)
            size -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    @property
    def _stored(self) -> int:
        """Stored bytes that what was handed out came from."""
        return self._raw.consumed

    def _count(self, piece: bytes) -> bytes:
        self.position += len(piece)
        stored = self._stored
        if error := self._limits.exceeded(self.name, stored, self.position, at=stored):
            raise error
        return piece

    def __enter__(self) -> PlainStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._raw.close()


class StoredStream(PlainStream):
    """A file that is stored as it is, from `start` to `stop`."""

    def __init__(self, file: InputFile, start: int, stop: int):
        super().__init__(file)
        self._left = stop - start
        self._raw.handle.seek(start)

    def read(self, size: int) -> bytes:
        """Return the next bytes; see `PlainStream.read`."""
        piece = self._raw.read(min(size, self._left))
        if not piece and self._left and size:
            raise CorruptFile(self.name, f"ends {self._left} bytes early (it shrank while it was read)")
        self._left -= len(piece)
        self.position += len(piece)
        return piece


class GzipStream(PlainStream):
    """Gzip of one or many members; CRC and length of each are checked, NUL padding after the last is allowed.

    zlib and not pyarrow's codec, because WARC readers need to know where members start: set `members` to a deque
    and it receives (plain position, stored offset) of each member.
    """

    members: deque[tuple[int, int]] | None = None

    def __init__(self, file: InputFile, limits: ReadLimits):
        super().__init__(file, limits)
        self._pending = b""
        self._inflate: Any = None
        self._seen_member = False

    def read(self, size: int) -> bytes:
        """Return the next bytes, never across the end of a member; see `PlainStream.read`."""
        while True:
            if self._inflate is None and not self._start_member():
                return b""
            if not self._pending:
                self._pending = self._raw.read(STORED_CHUNK)
            at_end = not self._pending
            piece = self._inflate_some(size)
            if piece:
                return self._count(piece)
            if at_end and self._inflate is not None:
                raise CorruptFile(self.name, "gzip data is truncated", offset=self._raw.consumed)

    @property
    def _stored(self) -> int:
        return self._raw.consumed - len(self._pending)

    def _inflate_some(self, size: int) -> bytes:
        try:
            piece: bytes = self._inflate.decompress(self._pending, size)
        except zlib.error as error:
            raise CorruptFile(self.name, f"gzip data is damaged ({error})", offset=self._stored) from error
        if self._inflate.eof:
            self._pending, self._inflate = self._inflate.unused_data, None
        else:
            self._pending = self._inflate.unconsumed_tail
        return piece

    def _start_member(self) -> bool:
        while len(self._pending) < len(MAGICS["gzip"]) and (more := self._raw.read(STORED_CHUNK)):
            self._pending += more
        offset = self._stored
        if self._pending.startswith(MAGICS["gzip"]):
            self._inflate = zlib.decompressobj(wbits=31)
            self._seen_member = True
            if self.members is not None:
                self.members.append((self.position, offset))
            return True
        if not self._seen_member:
            raise CorruptFile(self.name, "not gzip data, though its name says so", offset=offset)
        while self._pending and not self._pending.strip(b"\0"):
            self._pending = self._raw.read(STORED_CHUNK)
        if self._pending:
            raise CorruptFile(self.name, "garbage after the gzip data", offset=offset)
        return False


class ZstdStream(PlainStream):
    """Zstandard of one or many frames through pyarrow, which reports truncation, bad checksums and garbage."""

    def __init__(self, file: InputFile, limits: ReadLimits):
        super().__init__(file, limits)
        import pyarrow as pa

        self._stream = pa.CompressedInputStream(pa.PythonFile(self._raw, mode="r"), "zstd")

    def read(self, size: int) -> bytes:
        """Return the next bytes; see `PlainStream.read`."""
        try:
            return self._count(self._stream.read(size))
        except OSError as error:
            if self._raw.failure is not None:
                raise self._raw.failure from None
            reason = f"zstd data is damaged or truncated ({error})"
            if "too much memory" in str(error):
                reason = "zstd data wants a window above 128 MB (`--long`): pack it again without"
            raise CorruptFile(self.name, reason, offset=self._raw.consumed) from error


class Watched:
    """A file handle that remembers how much was read, and its own failure: a broken disk is no damaged file."""

    def __init__(self, handle: IO[bytes]):
        self.handle = handle
        self.consumed = 0
        self.failure: BaseException | None = None
        self.closed = False

    def read(self, size: int = -1) -> bytes:
        """Read from the handle."""
        try:
            data = self.handle.read(size)
        except BaseException as failure:
            self.failure = failure
            raise
        self.consumed += len(data)
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move in the handle."""
        return self.handle.seek(offset, whence)

    def tell(self) -> int:
        """Return the place in the handle."""
        return self.handle.tell()

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """As input files are."""
        return True

    def writable(self) -> bool:
        """Never."""
        return False

    def flush(self) -> None:
        """Nothing to flush."""

    def close(self) -> None:
        """Close the handle."""
        if not self.closed:
            self.closed = True
            self.handle.close()
