"""Storage on a file system: fsync, rename into place, fsync the folder."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path


class LocalStorage:
    """A folder on local disk or NFS."""

    remote = False

    def __init__(self, root: Path):
        self.root = root.expanduser().resolve()
        self.uri = str(self.root)

    def publish(self, scratch: Path, name: str) -> None:
        """Rename a finished file into place; a file from another file system is copied beside its place first."""
        target = self._place(name)
        sync_file(scratch)
        try:
            os.replace(scratch, target)
        except OSError:
            beside = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
            shutil.copyfile(scratch, beside)
            sync_file(beside)
            os.replace(beside, target)
            scratch.unlink(missing_ok=True)
        sync_folder(target.parent)

    def put_if_absent(self, name: str, data: bytes) -> bytes | None:
        """Write a record under a name of its own, then link it: the link fails if the name exists."""
        target = self._place(name)
        beside = self._write_beside(target, data)
        try:
            os.link(beside, target)
        except FileExistsError:
            return target.read_bytes()
        finally:
            beside.unlink(missing_ok=True)
        sync_folder(target.parent)
        return None

    def put(self, name: str, data: bytes) -> None:
        """Write or replace a record at once."""
        target = self._place(name)
        os.replace(self._write_beside(target, data), target)
        sync_folder(target.parent)

    def read(self, name: str) -> bytes:
        """Return the bytes under a name."""
        return (self.root / name).read_bytes()

    def read_range(self, name: str, start: int, stop: int) -> bytes:
        """Return some bytes of a file."""
        with (self.root / name).open("rb") as stream:
            stream.seek(start)
            return stream.read(stop - start)

    def fetch(self, name: str) -> Path:
        """Return the file itself."""
        path = self.root / name
        if not path.is_file():
            raise FileNotFoundError(path)
        return path

    def exists(self, name: str) -> bool:
        """Say whether the name is there."""
        return (self.root / name).is_file()

    def size(self, name: str) -> int:
        """Return the bytes of the file."""
        return (self.root / name).stat().st_size

    def modified(self, name: str) -> float:
        """Return the time of the file."""
        return (self.root / name).stat().st_mtime

    def unfinished(self) -> Iterator[str]:
        """Yield what lies beside its final name, `.NAME.UUID`."""
        for folder in ("artifacts", "commits", "datasets", "files", "inputs"):
            base = self.root / folder
            for path in sorted(base.rglob(".*")) if base.is_dir() else ():
                if path.is_file():
                    yield path.relative_to(self.root).as_posix()

    def list(self, prefix: str) -> Iterator[str]:
        """Yield the names under a prefix, sorted."""
        base = self.root / prefix
        for path in sorted(base.rglob("*")) if base.is_dir() else ():
            if path.is_file() and not path.name.startswith("."):
                yield path.relative_to(self.root).as_posix()

    def delete(self, name: str) -> None:
        """Remove a name."""
        (self.root / name).unlink(missing_ok=True)

    def scratch(self) -> Path:
        """Return `tmp/` inside the store, so that publishing is a rename."""
        folder = self.root / "tmp"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _place(self, name: str) -> Path:
        target = self.root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        return target

    def _write_beside(self, target: Path, data: bytes) -> Path:
        beside = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
        beside.write_bytes(data)
        sync_file(beside)
        return beside


def sync_file(path: Path) -> None:
    """Force a file's bytes to the disk."""
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def sync_folder(path: Path) -> None:
    """Force a folder's entries to the disk, so that a rename survives a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
