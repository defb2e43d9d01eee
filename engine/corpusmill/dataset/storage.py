"""The seam to where bytes live: whole files under final names, records put if absent, nothing renamed by callers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from corpusmill.dataset.local_storage import LocalStorage
from corpusmill.dataset.object_storage import ObjectStorage
from corpusmill.errors import UsageError


class Storage(Protocol):
    """What a store needs of a medium; names are relative, with `/`.

    `publish` and `put_if_absent` are atomic and idempotent: a reader sees a name with all its bytes or not at all.
    """

    uri: str
    remote: bool
    """Whether `fetch` copies whole files: then what needs few bytes of many files reads ranges."""

    def publish(self, scratch: Path, name: str) -> None:
        """Move or upload a finished local file to its final name; an existing name is replaced by equal content."""

    def put_if_absent(self, name: str, data: bytes) -> bytes | None:
        """Write a small record unless the name exists; return None when written, else the bytes that are there."""

    def put(self, name: str, data: bytes) -> None:
        """Write or replace a small record (run records only; nothing that a commit names)."""

    def read(self, name: str) -> bytes:
        """Return the bytes under a name; raises FileNotFoundError."""

    def read_range(self, name: str, start: int, stop: int) -> bytes:
        """Return the bytes from `start` to `stop` under a name; raises FileNotFoundError."""

    def fetch(self, name: str) -> Path:
        """Return a local path with the bytes under a name, to be memory-mapped; raises FileNotFoundError."""

    def exists(self, name: str) -> bool:
        """Say whether the name is there."""

    def size(self, name: str) -> int:
        """Return the bytes under a name; raises FileNotFoundError."""

    def modified(self, name: str) -> float:
        """Return when a name was last written, in seconds since the epoch; raises FileNotFoundError."""

    def unfinished(self) -> Iterator[str]:
        """Yield the names of what is being written, or was when its writer died; no reader sees any of it."""

    def list(self, prefix: str) -> Iterator[str]:
        """Yield the names under a prefix, sorted; for `gc` and `status`, never to find data."""

    def delete(self, name: str) -> None:
        """Remove a name; one that is not there is no error."""

    def scratch(self) -> Path:
        """Return a local folder for files being built, on the medium itself where that saves a copy."""


def open_storage(uri: str) -> Storage:
    """Open a storage by URI: a path or `file://PATH`, or `object://PATH`, an object store's rules on a local folder.

    Raises UsageError for any other scheme.
    """
    parts = urlsplit(uri)
    if parts.scheme in ("", "file"):
        return LocalStorage(Path(parts.path if parts.scheme else uri))
    if parts.scheme == "object":
        return ObjectStorage(Path(f"{parts.netloc}{parts.path}"))
    raise UsageError(
        f"unknown storage scheme {parts.scheme!r} in {uri!r}",
        expected="a path, file://PATH or object://PATH",
        hint="set `store:` in the spec or pass --store PATH",
    )
