"""A disk for crash tests: it does what it is told, and knows after each operation what a kill or a power cut leaves."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from corpusmill.dataset.disk import Disk

KINDS = (
    "create",
    "write",
    "sync_file",
    "rename",
    "exchange",
    "link",
    "unlink",
    "make_folder",
    "remove_folder",
    "sync_folder",
)  # fmt: skip
"""Every operation of `Disk`."""

Image = Mapping[str, bytes | None]
"""What lies under a folder: relative path -> bytes of a file, None for a folder."""


@dataclass(eq=False)
class File:
    """A file: its bytes, and those that a power cut leaves; None before the first sync."""

    data: bytes = b""
    lasting: bytes | None = None


@dataclass(eq=False)
class Folder:
    """A folder: its entries, and those that a power cut leaves."""

    entries: dict[str, File | Folder] = field(default_factory=dict)
    lasting: dict[str, File | Folder] = field(default_factory=dict)


@dataclass(frozen=True)
class Point:
    """One operation of a run: its number from 1, its kind, and the stage that was at work."""

    number: int
    kind: str
    phase: str


class RecordingDisk(Disk):
    """Does every operation, and hands (point, variant, image) of what a crash right after it leaves to `told`.

    Variants: `kill` (all that was done stands), `power` (only what was synced stands: bytes of files, entries of
    folders) and `torn` (all names stand, and files that were not synced hold half of their bytes: disks and journals
    reorder). A write is also seen when half of its bytes are in. Only what lies under `base` counts; what lies there
    when it begins lasts.
    """

    def __init__(self, base: Path, told: Callable[[Point, str, Image], None]):
        self.base, self.phase, self.number = base, "start", 0
        self._told = told
        self._root = _adopted(base)
        self._open: dict[int, File] = {}

    def create(self, path: Path) -> int:
        """Note a new file; one that is emptied keeps its bytes on the disk until it is synced again."""
        descriptor = super().create(path)
        self._open.pop(descriptor, None)  # numbers are given out again
        if (place := self._place(path)) is not None:
            folder, name = place
            known = folder.entries.get(name)
            file = known if isinstance(known, File) else File()
            file.data = b""
            folder.entries[name] = file
            self._open[descriptor] = file
        self._tell("create", path)
        return descriptor

    def write(self, file: int, data: bytes | memoryview) -> int:
        """Note the bytes, and the moment when half of them are written."""
        taken = super().write(file, data)
        known = self._open.get(file)
        if known is not None:
            half = known.data + bytes(data[: taken // 2])
            whole = known.data + bytes(data[:taken])
            known.data = half
            self._tell("write", self.base)
            known.data = whole
        self._tell("write", self.base if known is not None else None)
        return taken

    def sync_file(self, path: Path) -> None:
        """Note that a file's bytes last."""
        super().sync_file(path)
        node = self._node(path)
        if isinstance(node, File):
            node.data = path.read_bytes()
            node.lasting = node.data
        self._tell("sync_file", path)

    def rename(self, source: Path, target: Path) -> None:
        """Move an entry."""
        node = self._node(source)
        super().rename(source, target)
        self._take(source)
        self._put(target, node)
        self._tell("rename", target)

    def exchange(self, source: Path, target: Path) -> None:
        """Swap two entries."""
        one, other = self._node(source), self._node(target)
        super().exchange(source, target)
        self._put(source, other)
        self._put(target, one)
        self._tell("exchange", target)

    def link(self, source: Path, target: Path) -> None:
        """Add an entry."""
        node = self._node(source)
        super().link(source, target)
        self._put(target, node)
        self._tell("link", target)

    def unlink(self, path: Path) -> None:
        """Remove an entry."""
        super().unlink(path)
        self._take(path)
        self._tell("unlink", path)

    def make_folder(self, path: Path) -> None:
        """Add a folder."""
        super().make_folder(path)
        self._put(path, Folder())
        self._tell("make_folder", path)

    def remove_folder(self, path: Path) -> None:
        """Remove a folder's entry."""
        super().remove_folder(path)
        self._take(path)
        self._tell("remove_folder", path)

    def sync_folder(self, path: Path) -> None:
        """Note that a folder's entries last."""
        super().sync_folder(path)
        node = self._root if path == self.base else self._node(path)
        if isinstance(node, Folder):
            node.lasting = dict(node.entries)
        self._tell("sync_folder", path)

    def _tell(self, kind: str, path: Path | None) -> None:
        if path is None or (path != self.base and self.base not in path.parents):
            return
        self.number += 1
        point = Point(self.number, kind, self.phase)
        for variant in ("kill", "power", "torn"):
            self._told(point, variant, self.image(variant))

    def image(self, variant: str) -> dict[str, bytes | None]:
        """Return what a crash now would leave."""
        image: dict[str, bytes | None] = {}
        _lay_out(self._root, variant, "", image)
        return image

    def _place(self, path: Path) -> tuple[Folder, str] | None:
        """Return the folder node and name of a path; folders that others made are taken on as they are met."""
        if self.base not in path.parents:
            return None
        folder = self._root
        for part in path.relative_to(self.base).parts[:-1]:
            child = folder.entries.setdefault(part, Folder())
            assert isinstance(child, Folder)
            folder = child
        return folder, path.name

    def _node(self, path: Path) -> File | Folder | None:
        """Return what lies at a path; a file that others wrote is taken on with its bytes, none of which last."""
        place = self._place(path)
        if place is None:
            return None
        folder, name = place
        if name not in folder.entries and path.exists():
            folder.entries[name] = Folder() if path.is_dir() else File(path.read_bytes())
        return folder.entries.get(name)

    def _put(self, path: Path, node: File | Folder | None) -> None:
        if node is not None and (place := self._place(path)) is not None:
            place[0].entries[place[1]] = node

    def _take(self, path: Path) -> None:
        if (place := self._place(path)) is not None:
            place[0].entries.pop(place[1], None)


class FailingDisk(Disk):
    """Counts operations by (phase, kind) and lets one go wrong: `arm` says which and how, `fired` whether it came."""

    def __init__(self) -> None:
        self.phase, self.fired = "start", False
        self.counts: dict[tuple[str, str], int] = {}
        self._armed: tuple[str, str, int, str] | None = None

    def arm(self, phase: str, kind: str, number: int, how: str) -> None:
        """Let the `number`th `kind` of a phase go wrong: `ENOSPC`, `EIO`, `EACCES` (it fails) or `repeat`.

        `repeat` does it twice and tells what the second attempt says: so a network file system behaves that lost an
        answer.
        """
        self._armed, self.fired, self.counts, self.phase = (phase, kind, number, how), False, {}, "start"

    def disarm(self) -> None:
        """Let everything go well."""
        self._armed = None

    def create(self, path: Path) -> int:
        """Open a file, or what is armed."""
        how = self._how("create")
        descriptor = super().create(path)
        if how == "repeat":
            os.close(descriptor)
            return super().create(path)
        return descriptor

    def write(self, file: int, data: bytes | memoryview) -> int:
        """Write, or what is armed: a full disk takes half of it first, `repeat` is a write that takes half of it."""
        try:
            how = self._how("write")
        except OSError as error:
            if error.errno == errno.ENOSPC:
                super().write(file, data[: len(data) // 2])
            raise
        return super().write(file, data[: max(1, len(data) // 2)] if how == "repeat" else data)

    def sync_file(self, path: Path) -> None:
        """Sync, or what is armed."""
        self._do("sync_file", super().sync_file, path)

    def rename(self, source: Path, target: Path) -> None:
        """Rename, or what is armed."""
        self._do("rename", super().rename, source, target)

    def exchange(self, source: Path, target: Path) -> None:
        """Swap names, or what is armed: twice is as good as never."""
        self._do("exchange", super().exchange, source, target)

    def link(self, source: Path, target: Path) -> None:
        """Link, or what is armed."""
        self._do("link", super().link, source, target)

    def unlink(self, path: Path) -> None:
        """Unlink, or what is armed."""
        self._do("unlink", super().unlink, path)

    def make_folder(self, path: Path) -> None:
        """Make a folder, or what is armed."""
        self._do("make_folder", super().make_folder, path)

    def remove_folder(self, path: Path) -> None:
        """Remove a folder, or what is armed."""
        self._do("remove_folder", super().remove_folder, path)

    def sync_folder(self, path: Path) -> None:
        """Sync, or what is armed."""
        self._do("sync_folder", super().sync_folder, path)

    def _do(self, kind: str, operation: Callable[..., None], *paths: Path) -> None:
        if self._how(kind) == "repeat":
            operation(*paths)
        operation(*paths)

    def _how(self, kind: str) -> str | None:
        """Count an operation; raise or return what is to happen to it."""
        place = (self.phase, kind)
        self.counts[place] = self.counts.get(place, 0) + 1
        if self._armed is None or self.fired or (*place, self.counts[place]) != self._armed[:3]:
            return None
        self.fired = True
        how = self._armed[3]
        if how == "repeat":
            return how
        number = getattr(errno, how)
        raise OSError(number, os.strerror(number))


def _adopted(place: Path) -> Folder:
    """Return a folder as it lies there, all of which lasts."""
    entries: dict[str, File | Folder] = {}
    for path in place.iterdir() if place.is_dir() else ():
        data = b"" if path.is_dir() else path.read_bytes()
        entries[path.name] = _adopted(path) if path.is_dir() else File(data, data)
    return Folder(entries, dict(entries))


def materialise(image: Image, base: Path) -> None:
    """Make an empty folder hold what an image says."""
    for name, data in image.items():
        path = base / name
        if data is None:
            path.mkdir(parents=True, exist_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)


def _lay_out(folder: Folder, variant: str, prefix: str, image: dict[str, bytes | None]) -> None:
    entries = folder.lasting if variant == "power" else folder.entries
    for name, node in entries.items():
        if isinstance(node, Folder):
            image[prefix + name] = None
            _lay_out(node, variant, f"{prefix}{name}/", image)
        elif variant == "kill" or (variant == "torn" and node.lasting == node.data):
            image[prefix + name] = node.data
        elif variant == "torn":
            image[prefix + name] = node.data[: len(node.data) // 2]
        else:
            image[prefix + name] = node.lasting if node.lasting is not None else b""
