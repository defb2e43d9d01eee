"""Commit records: one small file each when they are made, merged now and then into packs that lookups read instead."""

from __future__ import annotations

import contextlib
import mmap
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

from corpusmill.dataset.disk import write_file
from corpusmill.dataset.hashing import hash_bytes, hash_file
from corpusmill.dataset.storage import Storage

EVERY = 1_000
"""Records that stand alone before they are merged."""
LEFT_OVER = 100
"""The same at the end of a run: fewer are not worth a file."""
LARGEST = 128 << 20
"""Bytes of the largest pack that is still merged into another."""
PACKS = "commits/packs/"
_HASH = 32
_SEAL = b'"checksum":"'
_THREADS = 8
_MANY = 64
"""Searches of a pack after which a table of its keys costs less: a driver looks for all, a worker for few."""


class CommitLog:
    """The records of a store by key: put if absent, found in packs or alone, forgotten, consolidated.

    A pack is published whole before anything it holds is deleted, so a record can be found at any instant and an
    interrupted consolidation leaves duplicates at most (`superseded` names them). Packs are content-named, found by
    listing their folder, and double in size when they are merged: there are few, however many records they hold.
    """

    def __init__(self, storage: Storage, scratch: Callable[[str], Path]):
        self._storage, self._scratch = storage, scratch
        self._packs: dict[str, Pack] | None = None
        self._forgotten: set[str] = set()
        self.alone: set[str] = set()
        """Keys of records that this process knows to stand alone."""

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the packs: a store that travels to another process opens its own."""
        return {**self.__dict__, "_packs": None}

    def read(self, key: str) -> bytes | None:
        """Return the record under a key, or None; one that is torn or damaged counts as none, and is removed."""
        packed = self._packed(key)
        if packed is not None:
            return packed
        try:
            data = self._storage.read(alone_name(key))
        except FileNotFoundError:
            return None
        whole = _unsealed(key, data)
        if whole is None:
            self._storage.delete(alone_name(key))
        else:
            self.alone.add(key)
        return whole

    def put_if_absent(self, key: str, data: bytes) -> bytes | None:
        """Write a record unless there is one; return None when written, else the one that stands.

        Another process may have merged and deleted the record between looking and writing. It published the pack
        before it deleted, so whoever has written looks for new packs once more, and takes its own record back.
        """
        self.settle()
        standing = self._packed(key)
        if standing is not None and standing != data:
            # The driver may have forgotten it, and written the pack anew, since this process looked.
            self.refresh()
            standing = self._packed(key)
        if standing is not None:
            return standing
        sealed = _sealed(key, data)
        while (standing := self._storage.put_if_absent(alone_name(key), sealed)) is not None:
            whole = _unsealed(key, standing)
            if whole is not None:
                return whole
            self._storage.delete(alone_name(key))
        self.refresh()
        standing = self._packed(key)
        if standing is not None:
            self._storage.delete(alone_name(key))
        return standing

    def forget(self, key: str, *, later: bool = False) -> None:
        """Remove a record; `later` leaves the packs that hold it to `settle`, so that many are forgotten at once."""
        self._storage.delete(alone_name(key))
        self.alone.discard(key)
        if self._packed(key) is not None:
            self._forgotten.add(key)
            if not later:
                self.settle()

    def settle(self) -> None:
        """Write the packs that hold forgotten records again, without them."""
        forgotten, self._forgotten = self._forgotten, set()
        for pack in list(self._known().values()) if forgotten else ():
            lines = dict(pack.records())
            left = {key: line for key, line in lines.items() if key not in forgotten}
            if len(left) < len(lines):
                self._replace([pack], left)

    def refresh(self) -> None:
        """Look which packs there are now."""
        known = self._packs or {}
        names = set(self._storage.list(PACKS))
        opened = {name: known.get(name) or self._open(name) for name in sorted(names)}
        self._packs = {name: pack for name, pack in opened.items() if pack is not None}

    def consolidate(self, least: int | None = None) -> int:
        """Merge the records known to stand alone into a pack if there are `least` (a thousand); return how many were.

        Packs not larger than what is merged join it. What is deleted stands in a published pack.
        """
        if len(self.alone) < (EVERY if least is None else least):
            return 0
        self.settle()
        self.refresh()
        keys = sorted(self.alone)
        with ThreadPoolExecutor(_THREADS) as pool:
            read = {key: data for key, data in zip(keys, pool.map(self._read_alone, keys), strict=True) if data}
            lines = {key: _line(key, data) for key, data in read.items() if self._packed(key) is None}
            if lines:
                self._merge(lines)
            list(pool.map(lambda key: self._storage.delete(alone_name(key)), read))
        self.alone.clear()
        return len(read)

    def superseded(self) -> list[str]:
        """Return the names that may be deleted, sorted: records that stand in a pack too, packs within a larger one."""
        self.refresh()
        keys = {name: {key for key, _ in pack.records()} for name, pack in self._known().items()}
        packed: set[str] = set().union(*keys.values())
        names = [name for name in self._storage.list("commits/") if not name.startswith(PACKS)]
        found = [name for name in names if name.rpartition("/")[2].removesuffix(".json") in packed]
        return sorted(found + [name for name, own in keys.items() if any(own < other for other in keys.values())])

    def every(self) -> Iterator[tuple[str, str, bytes | None]]:
        """Yield (file, key, record) of all there are; of a record that is torn or damaged there is None.

        Those that stand alone come first: one that is merged meanwhile is met in its pack.
        """
        for name in list(self._storage.list("commits/")):
            if not name.startswith(PACKS):
                key = name.rpartition("/")[2].removesuffix(".json")
                data = self._read_alone(key)
                if data is not None or self._storage.exists(name):
                    yield name, key, data
        self.refresh()
        for name in [*self._storage.list(PACKS)]:
            pack = self._known().get(name)
            if (pack is None or not pack.whole) and (pack is not None or self._storage.exists(name)):
                yield name, "", None
            for key, line in pack.records() if pack is not None else ():
                yield name, key, _checked(line.rstrip(b"\n"))

    def mend(self) -> list[str]:
        """Write packs with damaged lines again, without them; return the names of those that went."""
        self.refresh()
        mended = []
        for name in list(self._storage.list(PACKS)):
            pack = self._known().get(name)
            if pack is None:
                self._storage.delete(name)
            elif not pack.whole:
                self._replace([pack], dict(pack.records()))
            else:
                continue
            mended.append(name)
        return mended

    def _merge(self, lines: dict[str, bytes]) -> None:
        size = sum(map(len, lines.values()))
        joined = []
        for pack in sorted(self._known().values(), key=lambda one: (one.bytes, one.name)):
            if pack.bytes <= size and size + pack.bytes <= LARGEST:
                joined.append(pack)
                lines = {**lines, **dict(pack.records())}
                size += pack.bytes
        self._replace(joined, lines)

    def _replace(self, packs: Iterable[Pack], lines: dict[str, bytes]) -> None:
        """Publish a pack of these lines, then delete the packs it stands for."""
        made = None
        if lines:
            path = self._scratch(".jsonl")
            write_file(path, b"".join(lines[key] for key in sorted(lines)))
            made = f"{PACKS}{hash_file(path)[0]}.jsonl"
            try:
                self._storage.publish(path, made)
            finally:
                path.unlink(missing_ok=True)
        for pack in packs:
            if pack.name != made:
                self._storage.delete(pack.name)
        self.refresh()

    def _read_alone(self, key: str) -> bytes | None:
        """Return a record that stands alone; None when it is not there or torn."""
        with contextlib.suppress(FileNotFoundError):
            return _unsealed(key, self._storage.read(alone_name(key)))
        return None

    def _packed(self, key: str) -> bytes | None:
        if key in self._forgotten:
            return None
        return next((found for pack in self._known().values() if (found := pack.find(key)) is not None), None)

    def _known(self) -> dict[str, Pack]:
        if self._packs is None:
            self.refresh()
        assert self._packs is not None
        return self._packs

    def _open(self, name: str) -> Pack | None:
        try:
            return Pack(name, self._storage.fetch(name))
        except (FileNotFoundError, ValueError):  # merged away since it was listed, or emptied behind our back
            return None


class Pack:
    """Records as lines `HASH KEY JSON`, sorted by key, searched through a memory map; a damaged line is none."""

    def __init__(self, name: str, path: Path):
        self.name = name
        with path.open("rb") as stream:
            self._data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        self.bytes = len(self._data)
        self._finds = 0

    def find(self, key: str) -> bytes | None:
        """Return the record under a key, or None: by halves, or, where many are asked for, by a table of all keys."""
        self._finds += 1
        if self._finds > _MANY:
            return _checked(self._data[self._places[key]]) if key in self._places else None
        wanted, low, high = key.encode(), 0, self.bytes
        while low < high:
            start = self._data.rfind(b"\n", low, (low + high) // 2) + 1 or low
            end = self._data.find(b"\n", start)
            end = self.bytes if end < 0 else end
            line = self._data[start:end]
            found = line[_HASH + 1 : line.find(b" ", _HASH + 1)]
            if found == wanted:
                return _checked(line)
            low, high = (end + 1, high) if found < wanted else (low, start)
        return None

    @cached_property
    def _places(self) -> dict[str, slice]:
        places, start = {}, 0
        for line in self._data[:].split(b"\n"):
            key = line[_HASH + 1 : line.find(b" ", _HASH + 1)].decode("utf-8", "replace")
            places[key] = slice(start, start + len(line))
            start += len(line) + 1
        return places

    @property
    def whole(self) -> bool:
        """Whether it holds what its name says; a damaged or lost line hides a record, which is done again."""
        return self.name == f"{PACKS}{hash_bytes(self._data[:])}.jsonl"

    def records(self) -> Iterator[tuple[str, bytes]]:
        """Yield the key and the line of each record that is whole."""
        for line in self._data[:].split(b"\n"):
            if _checked(line) is not None:
                yield line[_HASH + 1 :].partition(b" ")[0].decode(), line + b"\n"


def alone_name(key: str) -> str:
    """Return the name of a record that stands alone."""
    return f"commits/{key[:2]}/{key}.json"


def _line(key: str, data: bytes) -> bytes:
    content = key.encode() + b" " + data
    return hash_bytes(content).encode() + b" " + content + b"\n"


def _sealed(key: str, data: bytes) -> bytes:
    """Return a record as it lies alone: JSON still, with a last member `checksum` over the key and all before it."""
    comma = b"," if len(data) > len(b"{}") else b""
    return data[:-1] + comma + _SEAL + hash_bytes(key.encode() + b" " + data).encode() + b'"}'


def _unsealed(key: str, sealed: bytes) -> bytes | None:
    """Return the record of a sealed one; None when any byte of it is not what was written."""
    data = sealed[: -len(_SEAL) - _HASH - len(b'"}')].removesuffix(b",") + b"}"
    return data if _sealed(key, data) == sealed else None


def _checked(line: bytes) -> bytes | None:
    content: Any = line[_HASH + 1 :]
    if not content or line[:_HASH] != hash_bytes(content).encode():
        return None
    return bytes(content.partition(b" ")[2])
