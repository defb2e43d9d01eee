"""An object store's rules on a local folder (`object://PATH`): it stands for S3 or GCS where there is no network."""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, unquote

from corpusmill.dataset.hashing import hash_file
from corpusmill.dataset.object_client import Head
from corpusmill.errors import StoreError


class FolderClient:
    """Keys are flat names, an object appears whole or not at all, and a put compares what arrived with what was sent.

    How it does so (a link, a rename) is the server's business, as it is S3's: a shim stands before the client.
    """

    def __init__(self, root: Path):
        self.root = root
        self.root.mkdir(parents=True, exist_ok=True)

    def put(self, key: str, data: bytes | Path) -> None:
        """Copy into the folder under a hidden name, then rename."""
        arriving = self._arriving()
        if isinstance(data, bytes):
            arriving.write_bytes(data)
        else:
            shutil.copyfile(data, arriving)
            if hash_file(arriving) != hash_file(data):
                arriving.unlink()
                hint = "run the same command again"
                raise StoreError(f"upload of {key!r} arrived damaged", where=f"object://{self.root}", hint=hint)
        os.replace(arriving, self._object(key))

    def put_new(self, key: str, data: bytes) -> bool:
        """Link under the key, which fails when it is taken."""
        arriving = self._arriving()
        arriving.write_bytes(data)
        try:
            os.link(arriving, self._object(key))
        except FileExistsError:
            return False
        finally:
            arriving.unlink()
        return True

    def get(self, key: str) -> bytes:
        """Read the file."""
        return self._object(key).read_bytes()

    def get_range(self, key: str, start: int, stop: int) -> bytes:
        """Read some of the file."""
        with self._object(key).open("rb") as stream:
            stream.seek(start)
            return stream.read(stop - start)

    def head(self, key: str) -> Head:
        """Look at the file; inode and time stand for an ETag."""
        return _head(self._object(key))

    def delete(self, key: str) -> None:
        """Remove the file."""
        self._object(key).unlink(missing_ok=True)

    def list(self, prefix: str) -> Iterator[tuple[str, Head]]:
        """Yield the files whose quoted names start with the quoted prefix: letter by letter, they are the same."""
        quoted = quote(prefix, safe="")
        for path in self.root.iterdir():
            if path.name.startswith(quoted) and not path.name.startswith("."):
                with contextlib.suppress(FileNotFoundError):
                    yield unquote(path.name), _head(path)

    def unfinished(self) -> Iterator[str]:
        """Yield uploads that are going on or were given up."""
        yield from sorted(path.name for path in self.root.glob(".arriving-*"))

    def _object(self, key: str) -> Path:
        return self.root / quote(key, safe="")

    def _arriving(self) -> Path:
        return self.root / f".arriving-{uuid.uuid4().hex}"


def _head(path: Path) -> Head:
    found = path.stat()
    return Head(found.st_size, found.st_mtime, f"{found.st_ino}-{found.st_mtime_ns}")
