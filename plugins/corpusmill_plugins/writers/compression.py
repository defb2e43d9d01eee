"""Compressed output streams with the same bytes for the same content, and a checksum at the end."""

from __future__ import annotations

import zlib
from typing import IO, Any, Protocol

PIECE = 1 << 20
CHECKSUM_FLAG = 0x04
DESCRIPTOR = 4
"""Place of the frame header descriptor in a zstd frame, after the magic number (RFC 8878, 3.1.1.1)."""


class Compressor(Protocol):
    """Takes pieces of plain bytes; `finish` ends the stream and leaves the sink open."""

    def write(self, data: bytes) -> None:
        """Take the next bytes."""

    def finish(self) -> None:
        """Write what is left and the trailer."""


def compressor(name: str, level: int, sink: IO[bytes]) -> Compressor:
    """Return a compressor for `none`, `gzip` or `zstd`; `level` is gzip's."""
    if name == "none":
        return Pieces(Plain(sink))
    return Pieces(Gzip(level, sink) if name == "gzip" else Zstd(sink))


class Pieces:
    """Passes on pieces of one size: what codecs make of their input may depend on how it is cut."""

    def __init__(self, inner: Compressor):
        self._inner, self._held = inner, bytearray()

    def write(self, data: bytes) -> None:
        """Take the next bytes."""
        self._held += data
        while len(self._held) >= PIECE:
            self._inner.write(bytes(self._held[:PIECE]))
            del self._held[:PIECE]

    def finish(self) -> None:
        """Pass on the rest and end the stream."""
        if self._held:
            self._inner.write(bytes(self._held))
        self._inner.finish()


class Plain:
    """No compression."""

    def __init__(self, sink: IO[bytes]):
        self._sink = sink

    def write(self, data: bytes) -> None:
        """Pass the next bytes on."""
        self._sink.write(data)

    def finish(self) -> None:
        """Nothing is left."""


class Gzip:
    """One gzip member without name and time, so that bytes depend on content alone."""

    def __init__(self, level: int, sink: IO[bytes]):
        self._sink = sink
        self._deflate = zlib.compressobj(level, wbits=31)

    def write(self, data: bytes) -> None:
        """Compress the next bytes."""
        self._sink.write(self._deflate.compress(data))

    def finish(self) -> None:
        """Write the trailer with CRC and length."""
        self._sink.write(self._deflate.flush())


class Zstd:
    """One zstd frame with a content checksum.

    pyarrow cannot ask for the checksum, without which a flipped bit may give other text in silence. So the flag is
    set in the frame's header, and the low four bytes of the content's XXH64 are appended (RFC 8878, 3.1.1).
    Nor can its streams be given a level: it is Arrow's, 1. Several frames would do, but many tools read the first only.
    """

    def __init__(self, sink: IO[bytes]):
        import pyarrow as pa
        import xxhash

        self._sink, self._hash = sink, xxhash.xxh64(seed=0)
        self._out = _Frame(sink)
        self._stream = pa.CompressedOutputStream(pa.PythonFile(self._out, mode="w"), "zstd")

    def write(self, data: bytes) -> None:
        """Compress the next bytes."""
        self._hash.update(data)
        self._stream.write(data)

    def finish(self) -> None:
        """End the frame and append the checksum."""
        self._stream.close()
        self._sink.write((self._hash.intdigest() & 0xFFFFFFFF).to_bytes(4, "little"))


class _Frame:
    """Passes a frame on with the checksum flag set in its header."""

    def __init__(self, sink: IO[bytes]):
        self._sink, self._at = sink, 0
        self.closed = False

    def write(self, data: Any) -> int:
        """Pass bytes on."""
        piece = bytes(data)
        if self._at <= DESCRIPTOR < self._at + len(piece):
            place = DESCRIPTOR - self._at
            piece = piece[:place] + bytes([piece[place] | CHECKSUM_FLAG]) + piece[place + 1 :]
        self._at += len(piece)
        self._sink.write(piece)
        return len(piece)

    def flush(self) -> None:
        """Nothing is held."""

    def close(self) -> None:
        """The sink belongs to the caller."""
        self.closed = True
