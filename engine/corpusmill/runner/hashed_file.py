"""An input file that hashes what its reader reads, so that a range is read once and not twice."""

from __future__ import annotations

import io
from typing import IO

import xxhash

from corpusmill.runner.files import LocalFile

_CHUNK = 1 << 20


class HashedFile:
    """A range of a file in the eyes of a reader: name, size and `open`, as `InputFile` says.

    Readers mostly read their range in order; what they skip is read by `hexdigest`, what they read twice is hashed
    once. So the hash is that of the bytes that became rows, and a file that changes meanwhile cannot slip through.
    """

    def __init__(self, file: LocalFile, start: int, stop: int):
        self.name, self.size, self.path = file.name, file.size, file.path
        self._position, self._stop = start, stop
        self._hasher = xxhash.xxh3_128()

    def open(self) -> IO[bytes]:
        """Open the stored bytes."""
        return io.BufferedReader(_Seen(self), _CHUNK)

    def hexdigest(self) -> str:
        """Return the hash of the whole range, 32 hex digits; reads what nobody has read yet."""
        with _Seen(self) as rest:
            rest.seek(self._position)
            buffer = bytearray(_CHUNK)
            while self._position < self._stop and rest.readinto(buffer):
                pass
        return str(self._hasher.hexdigest())

    def saw(self, at: int, data: memoryview) -> None:
        """Hash the part of some bytes, read at a position, that comes next."""
        if at <= self._position < min(at + len(data), self._stop):
            fresh = data[self._position - at : self._stop - at]
            self._hasher.update(fresh)
            self._position += len(fresh)


class _Seen(io.FileIO):
    """The stored bytes, shown to the hash as they are read."""

    def __init__(self, file: HashedFile):
        super().__init__(file.path)
        self._file = file

    def readinto(self, buffer: bytearray | memoryview, /) -> int | None:  # type: ignore[override]
        at = self.tell()
        got = super().readinto(buffer)
        if got:
            self._file.saw(at, memoryview(buffer)[:got])
        return got

    def read(self, size: int = -1, /) -> bytes:  # type: ignore[override]
        at = self.tell()
        data = super().read(size) or b""
        self._file.saw(at, memoryview(data))
        return data

    def readall(self) -> bytes:
        at = self.tell()
        data = super().readall()
        self._file.saw(at, memoryview(data))
        return data
