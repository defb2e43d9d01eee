"""Content hashes: xxh3-128 over canonical bytes, hex, the same on every machine."""

from __future__ import annotations

from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import orjson
import xxhash

from corpusmill.dataset.disk import DiskFile, remove_file

if TYPE_CHECKING:
    from corpusmill.dataset.storage import Storage

_CHUNK = 256 << 10
"""What is hashed at once, and read into the same buffer or written right after: it stays in the processor's cache."""

_RANGE = 8 << 20
"""Bytes asked of a remote storage at once."""


def hash_bytes(data: bytes | memoryview) -> str:
    """Return the xxh3-128 of some bytes as 32 hex digits."""
    return xxhash.xxh3_128_hexdigest(data)


def hash_json(value: Any) -> str:
    """Return the hash of a JSON-able value; the order of keys does not matter."""
    return hash_bytes(canonical_json(value))


def canonical_json(value: Any) -> bytes:
    """Return the one JSON encoding of a value: sorted keys, no spaces. Raises TypeError for anything else."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def hash_file(path: Path) -> tuple[str, int]:
    """Return (hash, bytes) of a whole file."""
    with path.open("rb", buffering=0) as stream:
        return hash_stream(stream)


def hash_stream(stream: IO[bytes], limit: int | None = None, also: Any = None) -> tuple[str, int]:
    """Return (hash, bytes) of what is left of a stream, or of its next `limit` bytes; `also`: a hasher fed the same."""
    hasher, size = xxhash.xxh3_128(), 0
    buffer = memoryview(bytearray(_CHUNK))
    while limit is None or size < limit:
        wanted = buffer if limit is None else buffer[: limit - size]
        got = stream.readinto(wanted)  # type: ignore[attr-defined]
        if not got:
            break
        hasher.update(buffer[:got])
        if also is not None:
            also.update(buffer[:got])
        size += got
    return hasher.hexdigest(), size


def hash_stored(storage: Storage, name: str) -> tuple[str, int]:
    """Return (hash, bytes) of a file of a storage as it lies there: no cached copy of it is believed.

    Raises FileNotFoundError, or the OSError of a disk that cannot read it.
    """
    if not storage.remote:
        return hash_file(storage.fetch(name))
    hasher, size = xxhash.xxh3_128(), 0
    while data := storage.read_range(name, size, size + _RANGE):
        hasher.update(data)
        size += len(data)
        if len(data) < _RANGE:
            break
    return hasher.hexdigest(), size


class HashedSink(DiskFile):
    """A new file that is hashed while it is written, front to back."""

    def __init__(self, path: Path):
        super().__init__(path)
        self._path = path
        self._hasher, self._size = xxhash.xxh3_128(), 0

    def write(self, data: Any, /) -> int:
        """Write all of some bytes."""
        rest = memoryview(data).cast("B")
        try:
            for start in range(0, len(rest), _CHUNK):
                piece = rest[start : start + _CHUNK]
                self._hasher.update(piece)
                super().write(piece)
        except OSError:
            remove_file(self._path)  # where space is short, what cannot be finished must not take it
            raise
        self._size += len(rest)
        return len(data)

    def hashed(self) -> tuple[str, int]:
        """Return (hash, bytes) of what was written, as `hash_file` does."""
        return self._hasher.hexdigest(), self._size
