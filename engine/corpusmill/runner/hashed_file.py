"""An input file that hashes what its reader reads, so that a range is read once and not twice."""

from __future__ import annotations

import io
import os
from typing import IO

import xxhash

from corpusmill.dataset.hashing import hash_stream
from corpusmill.runner.files import LocalFile

_CHUNK = 1 << 20
_Looks = tuple[int, int, int, int, int]
_SIZE = 2


class HashedFile:
    """A range of a file in the eyes of a reader: name, size and `open`, as `InputFile` says.

    Readers mostly read their range in order; what they skip is read by `hexdigest`, what they read twice is hashed
    once. So the hash is that of the bytes that became rows, and a file that changes meanwhile cannot slip through:
    where the file was written or replaced while it was read, by what the system says (change times cannot be set
    back), the range as it is now must have that hash as well.
    """

    def __init__(self, file: LocalFile, start: int, stop: int):
        self.name, self.size, self.path = file.name, file.size, file.path
        self._start, self._position, self._stop = start, start, stop
        self._hasher = xxhash.xxh3_128()
        self._looks = looks(self.path)

    def open(self) -> IO[bytes]:
        """Open the stored bytes."""
        return io.BufferedReader(_Seen(self), _CHUNK)

    def still_holds(self, expected: str) -> bool:
        """Say whether the range had this hash (32 hex digits) while it was read, and has it now.

        Reads what nobody has read yet. Raises OSError for a file that is gone.
        """
        self._read_on()
        now = looks(self.path)
        # Beyond the end that was cut at, a reader would find the rest of what was the last record.
        if self._hasher.hexdigest() != expected or (self._stop >= self.size and now[_SIZE] != self.size):
            return False
        if now == self._looks:
            return True
        self._position, self._hasher = self._start, xxhash.xxh3_128()
        self._read_on()
        return bool(self._hasher.hexdigest() == expected)

    def saw(self, at: int, data: memoryview) -> None:
        """Hash the part of some bytes, read at a position, that comes next."""
        if at <= self._position < min(at + len(data), self._stop):
            fresh = data[self._position - at : self._stop - at]
            self._hasher.update(fresh)
            self._position += len(fresh)

    def _read_on(self) -> None:
        with _Seen(self) as rest:
            rest.seek(self._position)
            buffer = bytearray(_CHUNK)
            while self._position < self._stop and rest.readinto(buffer):
                pass


class WatchedFile:
    """A whole file that was hashed before its reader gets it: readers that jump about show no order to hash in."""

    def __init__(self, file: LocalFile):
        self.name, self.size, self.path = file.name, file.size, file.path
        self._looks = looks(self.path)

    def open(self) -> IO[bytes]:
        """Open the stored bytes."""
        return open(self.path, "rb", buffering=_CHUNK)

    def still_holds(self, expected: str) -> bool:
        """Say whether the file has this hash still; raises OSError for one that is gone."""
        now = looks(self.path)
        if now == self._looks or now[_SIZE] != self.size:
            return now[_SIZE] == self.size
        with self.open() as stream:
            return bool(hash_stream(stream)[0] == expected)


def looks(path: str) -> _Looks:
    """Return what the system says of a file, all of which stays while nobody writes, replaces or restores it."""
    status = os.stat(path)
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


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
