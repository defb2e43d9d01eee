"""The disk, one operation at a time: what the engine does to files goes through here, so that each can be made fail."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_CHUNK = 1 << 20
_NO_EXCHANGE = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM)
"""What a system, a file system or a sandbox says that cannot swap two names."""
_HERE, _SWAP = -100, 2
"""AT_FDCWD and RENAME_EXCHANGE of Linux."""


class Disk:
    """The operations of a file system that change something, each a thin call of the system; all raise OSError.

    What is written lasts from `sync_file` on; an entry of a folder (a new, renamed or removed name) from `sync_folder`
    of that folder on. Whoever needs both in order calls them in order.
    """

    def create(self, path: Path) -> int:
        """Open a file for writing, new or emptied, and return its descriptor."""
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)

    def write(self, file: int, data: bytes | memoryview) -> int:
        """Write some bytes to a file that `create` opened; return how many were taken."""
        return os.write(file, data)

    def sync_file(self, path: Path) -> None:
        """Force a file's bytes to the disk."""
        _sync(path)

    def rename(self, source: Path, target: Path) -> None:
        """Give a file or folder another name at once; a file of that name is replaced."""
        os.replace(source, target)

    def exchange(self, source: Path, target: Path) -> None:
        """Swap two names at once, whatever they stand for; raises OSError where the system cannot, too."""
        _swap_names(source, target)

    def link(self, source: Path, target: Path) -> None:
        """Give a file a second name; raises FileExistsError when it is taken."""
        os.link(source, target)

    def unlink(self, path: Path) -> None:
        """Take a name from a file."""
        path.unlink()

    def make_folder(self, path: Path) -> None:
        """Make one folder in one that exists; raises FileExistsError."""
        path.mkdir()

    def remove_folder(self, path: Path) -> None:
        """Remove an empty folder."""
        path.rmdir()

    def sync_folder(self, path: Path) -> None:
        """Force a folder's entries to the disk, so that a rename survives a power cut."""
        _sync(path)


_in_use = Disk()


def disk() -> Disk:
    """Return the disk that this process works on."""
    return _in_use


@contextlib.contextmanager
def swapped(other: Disk) -> Iterator[Disk]:
    """Let this process work on another disk meanwhile: one that notes, fails or forgets what it is told."""
    global _in_use  # noqa: PLW0603 - one process, one disk
    before, _in_use = _in_use, other
    try:
        yield other
    finally:
        _in_use = before


def write_file(path: Path, data: bytes) -> None:
    """Write a new file and force its bytes to the disk; where that fails nothing of it stays."""
    with _or_nothing(path):
        file = disk().create(path)
        try:
            write_all(file, data)
        finally:
            os.close(file)
        disk().sync_file(path)


def copy_file(source: Path, target: Path) -> None:
    """Copy a file's bytes and force them to the disk; where that fails nothing of the copy stays."""
    with _or_nothing(target), source.open("rb") as stream:
        file = disk().create(target)
        try:
            while data := stream.read(_CHUNK):
                write_all(file, data)
        finally:
            os.close(file)
        disk().sync_file(target)


class DiskFile(io.FileIO):
    """A new file as a stream, written through the disk in use; like any unbuffered stream it may be sought in."""

    def __init__(self, path: Path):
        super().__init__(disk().create(path), "wb")

    def write(self, data: Any, /) -> int:
        """Write all of some bytes."""
        write_all(self.fileno(), memoryview(data).cast("B"))
        return len(data)


def write_all(file: int, data: bytes | memoryview) -> None:
    """Write all of some bytes: the system may take them in pieces."""
    rest = memoryview(data)
    while rest:
        rest = rest[disk().write(file, rest) :]


def replace_file(path: Path, data: bytes) -> None:
    """Write or replace a small file: a reader, and whoever comes after a power cut, sees the old bytes or the new."""
    building = beside(path)
    write_file(building, data)
    with _or_nothing(building):
        rename_file(building, path)
    disk().sync_folder(path.parent)


def rename_file(source: Path, target: Path) -> None:
    """Rename a file into place.

    A network file system may do it, lose its answer and do it again: then the source is gone and the target there.
    """
    try:
        disk().rename(source, target)
    except FileNotFoundError:
        if source.exists() or not target.exists():
            raise


def replace_folder(source: Path, target: Path, aside: Path) -> None:
    """Let a folder take the place of what is at `target`, which lies `aside` then, for the caller to remove.

    The two swap their names at once: at any instant the old or the new one stands at `target`, whole. Where the system
    cannot, there is an instant between two renames in which nothing does; both lie beside it then.
    """
    wanted = os.lstat(source)
    try:
        disk().exchange(source, target)
        # A file system that lost its answer may have done it twice, which undoes it.
        done = os.path.samestat(wanted, os.lstat(target))
    except OSError as error:
        if error.errno not in _NO_EXCHANGE:
            raise
        done = False
    if not done:
        rename_file(target, aside)
        try:
            rename_file(source, target)
        except OSError:
            rename_file(aside, target)
            raise
    disk().sync_folder(target.parent)
    if done:
        rename_file(source, aside)


def remove_file(path: Path) -> None:
    """Remove a file if it is there and the system lets us: tidying up must not hide what went wrong before."""
    with contextlib.suppress(OSError):
        disk().unlink(path)


def remove_tree(path: Path) -> None:
    """Remove a folder with all that is in it, or a file; what cannot be removed stays."""
    if path.is_symlink() or not path.is_dir():
        remove_file(path)
        return
    for entry in sorted(path.iterdir()):
        remove_tree(entry)
    with contextlib.suppress(OSError):
        disk().remove_folder(path)


def make_folders(path: Path) -> None:
    """Make a folder and those above it; each new entry is forced to the disk."""
    if path.is_dir():
        return
    make_folders(path.parent)
    with contextlib.suppress(FileExistsError):
        disk().make_folder(path)
    disk().sync_folder(path.parent)


def sync_tree(folder: Path) -> None:
    """Force all files of a folder to the disk, and then the entries of each folder, the outer ones last."""
    for entry in sorted(folder.iterdir()):
        if entry.is_dir():
            sync_tree(entry)
        elif entry.is_file():
            disk().sync_file(entry)
    disk().sync_folder(folder)


def beside(path: Path) -> Path:
    """Return a hidden name of its own in the same folder: what lies there was never finished."""
    return path.with_name(f".{path.name}.{uuid.uuid4().hex}")


@contextlib.contextmanager
def _or_nothing(path: Path) -> Iterator[None]:
    """Remove a file that could not be finished: where space is short, it must not take it."""
    try:
        yield
    except OSError:
        remove_file(path)
        raise


def _swap_names(one: Path, other: Path) -> None:
    import ctypes

    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None) if sys.platform == "linux" else None
    number = errno.ENOSYS
    if rename is not None:
        names = [ctypes.c_char_p(os.fsencode(path)) for path in (one, other)]
        if rename(_HERE, names[0], _HERE, names[1], ctypes.c_uint(_SWAP)) == 0:
            return
        number = ctypes.get_errno()
    raise OSError(number, os.strerror(number), str(one), None, str(other))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
