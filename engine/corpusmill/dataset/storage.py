"""The seam to where bytes live: whole files under final names, records put if absent, nothing renamed by callers."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from corpusmill.dataset.cloud_client import SCHEMES, CloudClient
from corpusmill.dataset.folder_client import FolderClient
from corpusmill.dataset.hashing import hash_bytes
from corpusmill.dataset.local_storage import LocalStorage
from corpusmill.dataset.object_client import ObjectClient
from corpusmill.dataset.object_storage import ObjectStorage
from corpusmill.errors import StoreError, UsageError

_CREDENTIALS = re.compile(r"[^/]*@|[^/@]*:[^@]*@")
"""What stands before the host of a URI; a password may hold slashes."""


class Storage(Protocol):
    """What a store needs of a medium; names are relative, with `/`.

    `publish` and `put_if_absent` are atomic and idempotent: a reader sees a name with all its bytes or not at all.
    """

    uri: str
    remote: bool
    """Whether `fetch` copies whole files: then what needs few bytes of many files reads ranges."""

    @property
    def runs_root(self) -> Path:
        """The local folder that holds `runs/`: the store itself, or one that mirrors the `runs/` of an object store."""

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


Through = Callable[[ObjectClient], ObjectClient]
_through: Through | None = None


@contextlib.contextmanager
def through(shim: Through) -> Iterator[None]:
    """Let every object store that this process opens meanwhile be spoken to through a shim: see `disk.swapped`."""
    global _through  # noqa: PLW0603 - one process, one shim
    before, _through = _through, shim
    try:
        yield
    finally:
        _through = before


def open_storage(uri: str) -> Storage:
    """Open a storage by URI.

    A path or `file://PATH`; `s3://BUCKET/PREFIX`, `gs://…`, `az://…`; or `object://PATH`, an object store's rules on a
    local folder. Nothing is asked of an object store before it is used. Raises UsageError for any other scheme and for
    a URI with a user name or password, StoreError where a file is in the way.
    """
    parts = urlsplit(uri)
    if parts.scheme not in SCHEMES:  # which look for themselves, and know where credentials belong
        _refuse_secrets(uri)
    if parts.scheme in ("", "file"):
        local = LocalStorage(Path(parts.path if parts.scheme else uri))
        _refuse_file(local.root)
        return local
    if parts.scheme == "object":
        root = Path(f"{parts.netloc}{parts.path}").expanduser().resolve()
        _refuse_file(root)
        return _object_storage(FolderClient(root), f"object://{root}", Path(f"{root}-runs"))
    if parts.scheme in SCHEMES:
        client = CloudClient(uri)
        return _object_storage(client, client.uri, mirror_root(client.uri))
    raise UsageError(
        f"unknown storage scheme {parts.scheme!r} in {uri!r}",
        expected=f"a path, file://PATH, object://PATH, {', '.join(f'{scheme}://BUCKET/PREFIX' for scheme in SCHEMES)}",
        hint="set `store:` in the spec or pass --store PATH",
    )


def _refuse_secrets(uri: str) -> None:
    """Refuse what stands before an `@`: it would end up in every record, and with every observer of a run."""
    scheme, mark, rest = uri.partition("://")
    if not mark or not _CREDENTIALS.match(rest):
        return
    shown = f"{scheme}://…{rest[rest.rindex('@') :]}"
    raise UsageError(
        f"the store URI holds a user name or password: {shown}",
        where="store",
        expected="a place and nothing else",
        hint="take out what stands before the `@`; credentials of object stores come from the environment",
    )


def _refuse_file(root: Path) -> None:
    """Refuse a place where a file is, or lies on the way: said of a write, it would sound like missing rights."""
    there = next((one for one in (root, *root.parents) if os.path.lexists(one)), None)
    if there is not None and not there.is_dir():
        raise StoreError(
            f"the store {str(root)!r} cannot be there: {str(there)!r} is a file",
            where="store",
            expected="a folder, or a path where one can be made",
            hint="take another place with --store PATH or `store:` in the spec, or move the file away",
        )


def mirror_root(uri: str) -> Path:
    """Return the local folder for the run records of a store elsewhere: one a store, among the user's own state."""
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state").expanduser()
    readable = re.sub(r"[^A-Za-z0-9.]+", "-", uri)[:100]
    return state / "corpusmill" / f"{readable}-{hash_bytes(uri.encode())[:8]}"


def _object_storage(client: ObjectClient, uri: str, runs_root: Path) -> ObjectStorage:
    return ObjectStorage(client if _through is None else _through(client), uri, runs_root)
