"""A storage that is only looked at: what is written to it, or deleted, stays with the one who does."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from corpusmill.dataset.storage import Storage
from corpusmill.errors import StoreError

HINTS = "inputs/"
"""What is known of input files saves the next run from reading them: it goes to the storage itself if that takes it."""


class LookedAt:
    """Another storage as it is, with writes and deletions of one's own laid over it in a local folder."""

    def __init__(self, storage: Storage, folder: Path):
        self._storage, self._folder = storage, folder
        self._deleted: set[str] = set()
        self.uri, self.remote, self.runs_root = storage.uri, storage.remote, storage.runs_root

    def publish(self, scratch: Path, name: str) -> None:
        """Keep a finished file here."""
        shutil.move(scratch, self._place(name))

    def put_if_absent(self, name: str, data: bytes) -> bytes | None:
        """Keep a record here, unless one is there."""
        with contextlib.suppress(FileNotFoundError):
            return self.read(name)
        self._place(name).write_bytes(data)
        return None

    def put(self, name: str, data: bytes) -> None:
        """Keep a record here; a hint for the next run where that finds it, if the storage can be written to."""
        if name.startswith(HINTS):
            with contextlib.suppress(OSError, StoreError):
                self._storage.put(name, data)
                return
        self._place(name).write_bytes(data)

    def read(self, name: str) -> bytes:
        """Return the bytes under a name."""
        own = self._own(name)
        return self._storage.read(name) if own is None else own.read_bytes()

    def read_range(self, name: str, start: int, stop: int) -> bytes:
        """Return some bytes of a file."""
        own = self._own(name)
        return self._storage.read_range(name, start, stop) if own is None else own.read_bytes()[start:stop]

    def fetch(self, name: str) -> Path:
        """Return a local path with the bytes under a name."""
        return self._own(name) or self._storage.fetch(name)

    def exists(self, name: str) -> bool:
        """Say whether the name is there."""
        try:
            return self._own(name) is not None or self._storage.exists(name)
        except FileNotFoundError:
            return False

    def size(self, name: str) -> int:
        """Return the bytes of the file."""
        own = self._own(name)
        return self._storage.size(name) if own is None else own.stat().st_size

    def modified(self, name: str) -> float:
        """Return the time of the file."""
        own = self._own(name)
        return self._storage.modified(name) if own is None else own.stat().st_mtime

    def unfinished(self) -> Iterator[str]:
        """Yield what others are writing."""
        return self._storage.unfinished()

    def list(self, prefix: str) -> Iterator[str]:
        """Yield the names under a prefix, sorted."""
        base = self._folder / "kept"
        own = {path.relative_to(base).as_posix() for path in base.rglob("*") if path.is_file()}
        own = {name for name in own if name.startswith(prefix)}
        yield from sorted((set(self._storage.list(prefix)) - self._deleted) | own)

    def delete(self, name: str) -> None:
        """Remove a name in one's own eyes."""
        (self._folder / "kept" / name).unlink(missing_ok=True)
        self._deleted.add(name)

    def scratch(self) -> Path:
        """Return a folder for files being built."""
        folder = self._folder / "scratch"
        folder.mkdir(exist_ok=True)
        return folder

    def _own(self, name: str) -> Path | None:
        """Return where one's own bytes of a name lie, None where it is the storage's; raises FileNotFoundError."""
        path = self._folder / "kept" / name
        if path.is_file():
            return path
        if name in self._deleted:
            raise FileNotFoundError(name)
        return None

    def _place(self, name: str) -> Path:
        path = self._folder / "kept" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        self._deleted.discard(name)
        return path
