"""The copies of objects that this machine keeps on local scratch: fetched once, whole, the oldest out when it fills."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from corpusmill.dataset.disk import disk
from corpusmill.dataset.hashing import hash_bytes
from corpusmill.errors import StoreError

RANGE = 16 << 20
"""Bytes of one request of a download."""
SPARE = 1 << 30
"""Bytes of the disk that the cache leaves to others, as far as throwing copies out can."""
_THREADS = 4

GetRange = Callable[[int, int], bytes]


class ObjectCache:
    """Copies of one store's objects, by identity (a name, and its version where names can be written again)."""

    def __init__(self, uri: str):
        self._uri = uri

    @property
    def scratch(self) -> Path:
        """This user's folder for files of this store being built; raises StoreError if somebody else has made it.

        Stores share no scratch: equal work in two of them has equal names.
        """
        users = Path(tempfile.gettempdir()) / f"corpusmill-scratch-{os.getuid()}"
        users.mkdir(mode=0o700, parents=True, exist_ok=True)
        if users.stat().st_uid != os.getuid():
            raise StoreError(
                f"{str(users)!r} belongs to another user",
                where=self._uri,
                expected="scratch that nobody else writes to",
                hint="remove it, or set TMPDIR to a folder of your own",
            )
        folder = users / hash_bytes(self._uri.encode())[:12]
        folder.mkdir(exist_ok=True)
        return folder

    @property
    def folder(self) -> Path:
        """Where copies lie; under scratch, so that a cache that nobody used for a day goes with the rest."""
        folder = self.scratch / "cache"
        folder.mkdir(exist_ok=True)
        return folder

    def find(self, identity: str, size: int | None = None) -> Path | None:
        """Return the copy of an object if there is one (of this size); it counts as used now."""
        path = self.folder / hash_bytes(identity.encode())
        try:
            os.utime(path)
            return path if size is None or path.stat().st_size == size else None
        except FileNotFoundError:
            return None

    def fill(self, identity: str, size: int, get_range: GetRange, *, lasting: bool) -> Path:
        """Fetch an object in ranges, several at a time, into a file that appears whole, and return it.

        `lasting` forces it to the disk first: for what nobody holds against a checksum of its own.
        """
        self._make_room(size)
        target = self.folder / hash_bytes(identity.encode())
        arriving = target.with_name(f".{uuid.uuid4().hex}")
        try:
            with arriving.open("wb") as stream:
                self._copy(stream.fileno(), size, get_range)
            if lasting:
                disk().sync_file(arriving)
            os.replace(arriving, target)
        finally:
            arriving.unlink(missing_ok=True)
        return target

    def _copy(self, file: int, size: int, get_range: GetRange) -> None:
        def copy(start: int) -> None:
            data, place = memoryview(get_range(start, min(start + RANGE, size))), start
            while data:
                written = os.pwrite(file, data, place)
                place, data = place + written, data[written:]

        starts = range(0, size, RANGE)
        if len(starts) <= 1:
            for start in starts:
                copy(start)
            return
        with ThreadPoolExecutor(_THREADS) as pool:
            list(pool.map(copy, starts))

    def _make_room(self, size: int) -> None:
        """Throw out the copies that were not used for longest; whoever has one mapped keeps it until they are done."""
        missing = size + SPARE - shutil.disk_usage(self.folder).free
        if missing <= 0:
            return
        with contextlib.suppress(FileNotFoundError):  # another process throws out, too
            for path in sorted(self.folder.iterdir(), key=lambda one: one.stat().st_mtime):
                if missing <= 0:
                    return
                missing -= path.stat().st_size
                path.unlink(missing_ok=True)
