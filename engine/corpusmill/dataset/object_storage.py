"""An object store's rules on a local folder: whole uploads, conditional puts, no rename, reads through a cache."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, unquote

from corpusmill.dataset.hashing import hash_bytes, hash_file
from corpusmill.errors import StoreError


class ObjectStorage:
    """Keys are flat names, an object appears whole or not at all, and nothing can be renamed or opened for append.

    It stands for S3 or GCS in tests and behaves as they do where it matters: `publish` uploads a known length and
    looks at what arrived, `put_if_absent` is a conditional put, `fetch` downloads into a cache on local scratch.
    """

    remote = True

    def __init__(self, root: Path):
        self.root = root.expanduser().resolve()
        self.uri = f"object://{self.root}"
        self.root.mkdir(parents=True, exist_ok=True)
        self._cache = Path(tempfile.gettempdir()) / f"corpusmill-cache-{hash_bytes(self.uri.encode())[:12]}"

    def publish(self, scratch: Path, name: str) -> None:
        """Upload a finished file, then compare what arrived with what was sent."""
        sent = hash_file(scratch)
        arriving = self._arriving()
        shutil.copyfile(scratch, arriving)
        if hash_file(arriving) != sent:
            arriving.unlink()
            raise StoreError(f"upload of {name!r} arrived damaged", where=self.uri, hint="run the same command again")
        os.replace(arriving, self._object(name))
        scratch.unlink(missing_ok=True)

    def put_if_absent(self, name: str, data: bytes) -> bytes | None:
        """Put an object on the condition that its key is free."""
        arriving = self._arriving()
        arriving.write_bytes(data)
        try:
            os.link(arriving, self._object(name))
        except FileExistsError:
            return self.read(name)
        finally:
            arriving.unlink()
        return None

    def put(self, name: str, data: bytes) -> None:
        """Put an object, replacing what is there."""
        arriving = self._arriving()
        arriving.write_bytes(data)
        os.replace(arriving, self._object(name))

    def read(self, name: str) -> bytes:
        """Get an object."""
        return self._object(name).read_bytes()

    def read_range(self, name: str, start: int, stop: int) -> bytes:
        """Get a range of an object."""
        with self._object(name).open("rb") as stream:
            stream.seek(start)
            return stream.read(stop - start)

    def fetch(self, name: str) -> Path:
        """Download an object into the cache once; another version of it (inode and time: its ETag) is another file."""
        source = self._object(name)
        if not source.is_file():
            raise FileNotFoundError(name)
        version = source.stat()
        cached = self._cache / hash_bytes(f"{name}\0{version.st_ino}\0{version.st_mtime_ns}".encode())
        if not cached.is_file() or cached.stat().st_size != version.st_size:
            self._cache.mkdir(parents=True, exist_ok=True)
            arriving = cached.with_name(f".{uuid.uuid4().hex}")
            shutil.copyfile(source, arriving)
            os.replace(arriving, cached)
        return cached

    def exists(self, name: str) -> bool:
        """Say whether the key is taken."""
        return self._object(name).is_file()

    def size(self, name: str) -> int:
        """Return the bytes of the object."""
        return self._object(name).stat().st_size

    def modified(self, name: str) -> float:
        """Return the time of the object."""
        return self._object(name).stat().st_mtime

    def unfinished(self) -> Iterator[str]:
        """Yield uploads that are going on or were given up."""
        yield from sorted(path.name for path in self.root.glob(".arriving-*"))

    def list(self, prefix: str) -> Iterator[str]:
        """Yield the keys under a prefix, sorted."""
        quoted = quote(prefix, safe="")  # letter by letter: what starts a name starts its quoted form
        names = (path.name for path in self.root.iterdir() if not path.name.startswith("."))
        yield from sorted(unquote(name) for name in names if name.startswith(quoted))

    def delete(self, name: str) -> None:
        """Delete an object."""
        self._object(name).unlink(missing_ok=True)

    def scratch(self) -> Path:
        """Return local scratch; an object store has none of its own."""
        folder = Path(tempfile.gettempdir()) / "corpusmill-scratch"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _object(self, name: str) -> Path:
        return self.root / quote(name, safe="")

    def _arriving(self) -> Path:
        return self.root / f".arriving-{uuid.uuid4().hex}"
