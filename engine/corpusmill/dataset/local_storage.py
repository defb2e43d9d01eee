"""Storage on a file system: fsync, rename into place, fsync the folder."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

from corpusmill.dataset.disk import (
    beside,
    copy_file,
    disk,
    make_folders,
    remove_file,
    rename_file,
    replace_file,
    write_file,
)


class LocalStorage:
    """A folder on local disk or NFS."""

    remote = False

    def __init__(self, root: Path):
        self.root = root.expanduser().resolve()
        self.uri = str(self.root)
        self._lasting: set[Path] = set()

    @property
    def runs_root(self) -> Path:
        """The store itself."""
        return self.root

    def publish(self, scratch: Path, name: str) -> None:
        """Rename a finished file into place; a file from another file system is copied beside its place first."""
        target = self._place(name)
        disk().sync_file(scratch)
        try:
            rename_file(scratch, target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            arriving = beside(target)
            copy_file(scratch, arriving)
            rename_file(arriving, target)
            remove_file(scratch)
        disk().sync_folder(target.parent)

    def put_if_absent(self, name: str, data: bytes) -> bytes | None:
        """Write a record under a name of its own, then link it: the link fails if the name exists."""
        target = self._place(name)
        written = beside(target)
        write_file(written, data)
        standing = None
        try:
            disk().link(written, target)
        except FileExistsError:
            standing = target.read_bytes()
        finally:
            remove_file(written)
        # Also for what stands already: who linked it may have died before it lasted, and we build on it.
        disk().sync_folder(target.parent)
        return standing

    def put(self, name: str, data: bytes) -> None:
        """Write or replace a record at once."""
        replace_file(self._place(name), data)

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
        with contextlib.suppress(FileNotFoundError):
            disk().unlink(self.root / name)

    def scratch(self) -> Path:
        """Return `tmp/` inside the store, so that publishing is a rename."""
        folder = self.root / "tmp"
        make_folders(folder)
        return folder

    def _place(self, name: str) -> Path:
        """Return where a name goes; its folder is there and lasts, whoever made it and was killed before it did."""
        target = self.root / name
        folder = target.parent
        make_folders(folder)
        while folder not in self._lasting:
            with contextlib.suppress(PermissionError):  # what the store lies in may be another user's
                disk().sync_folder(folder.parent)
            self._lasting.add(folder)
            folder = folder.parent if folder != self.root else folder
        return target


def sync_file(path: Path) -> None:
    """Force a file's bytes to the disk in use."""
    disk().sync_file(path)


def sync_folder(path: Path) -> None:
    """Force a folder's entries to the disk in use, so that a rename survives a power cut."""
    disk().sync_folder(path)
