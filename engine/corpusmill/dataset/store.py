"""The store: content-named files, commit records, manifests and artifacts over one storage."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from corpusmill.dataset.commits import CommitLog
from corpusmill.dataset.disk import remove_file
from corpusmill.dataset.hashing import canonical_json, hash_bytes, hash_file, hash_json
from corpusmill.dataset.presence import Presence
from corpusmill.dataset.storage import Storage, open_storage
from corpusmill.errors import ChecksumError, LostFile, NotDeterministicError, StoreError

FORMAT = 1
"""Version of everything on disk; part of every key, so another format never meets this one's records."""


@dataclass(frozen=True)
class FileRef:
    """A published file: its content hash, which names it, and its size in bytes."""

    checksum: str
    bytes: int
    suffix: str = ".arrow"

    @property
    def name(self) -> str:
        """The name in the store."""
        return f"files/{self.checksum[:2]}/{self.checksum}{self.suffix}"

    def to_json(self) -> list[Any]:
        """Return the reference as it stands in records."""
        return [self.checksum, self.bytes, self.suffix]

    @staticmethod
    def from_json(value: list[Any]) -> FileRef:
        """Read a reference from a record."""
        return FileRef(*value)


class Store:
    """Where a pipeline's data lives.

    Order is what makes it safe: a file is published under its content name, then the commit record that names it,
    then (by the driver alone, last) a manifest. Readers open only what a record or manifest names.
    """

    def __init__(self, uri: str, storage: Storage | None = None):
        self.storage = open_storage(uri) if storage is None else storage
        self.uri = self.storage.uri
        self._verified: set[str] = set()
        self.commits = CommitLog(self.storage, self.scratch)
        self._there = Presence(self.storage)

    @property
    def runs_root(self) -> Path:
        """The local folder that holds `runs/`: the store itself, or a mirror of an object store's."""
        return self.storage.runs_root

    def scratch(self, suffix: str = "") -> Path:
        """Return a new local path for a file being built."""
        with write_errors(self.uri):
            return self.storage.scratch() / f"{os.getpid()}-{uuid.uuid4().hex}{suffix}"

    def discard_scratch(self) -> None:
        """Remove the files that this process was building; for a worker whose unit failed."""
        with contextlib.suppress(OSError):
            for path in self.storage.scratch().glob(f"{os.getpid()}-*"):
                remove_file(path)

    def publish(self, scratch: Path, suffix: str = ".arrow", *, hashed: tuple[str, int] | None = None) -> FileRef:
        """Publish a finished file under its content name; `hashed`: its (hash, bytes) where writing it told them."""
        checksum, size = hashed or hash_file(scratch)
        reference = FileRef(checksum, size, suffix)
        self.place(scratch, reference.name, size)
        if not self.storage.remote:  # what comes back from there is looked at anew
            self._verified.add(checksum)
        return reference

    def place(self, scratch: Path, name: str, size: int) -> None:
        """Publish a finished file under a name; raises StoreError with what is needed, and keeps nothing of it then."""
        try:
            self.storage.publish(scratch, name)
        except OSError as error:
            remove_file(scratch)  # where space is short, what cannot be published must not take it
            raise _full_or_forbidden(error, self.uri, size) from error
        except StoreError:
            remove_file(scratch)
            raise

    def path(self, reference: FileRef) -> Path:
        """Return a local path of a published file, verified against its checksum once per process.

        Raises ChecksumError when the bytes differ, LostFile when it is gone.
        """
        try:
            path = self.storage.fetch(reference.name)
        except FileNotFoundError as error:
            raise LostFile(
                f"a file that a commit names is gone: {reference.name}",
                where=self.uri,
                expected="a store that keeps what its records name",
                hint="run the pipeline again: the work that made it is redone",
            ) from error
        return path if reference.checksum in self._verified else self._verify(reference, path)

    def _verify(self, reference: FileRef, path: Path) -> Path:
        """Hash a file before its first use in this process; one that is damaged is removed.

        Commits whose files are not all there are not reused, so the next run makes it again. Where a storage keeps
        copies, the copy alone may be at fault: it is fetched once more.
        """
        found, size = hash_file(path)
        if found != reference.checksum:
            path.unlink(missing_ok=True)
            with contextlib.suppress(FileNotFoundError):
                path = self.storage.fetch(reference.name)
                found, size = hash_file(path)
        if found != reference.checksum:
            path.unlink(missing_ok=True)
            self.storage.delete(reference.name)
            self._there.forget(reference.name)
            raise ChecksumError(
                f"{reference.name} held other bytes than were committed ({size} bytes, hash {found}); it was removed",
                where=self.uri,
                expected=f"{reference.bytes} bytes, hash {reference.checksum}",
                hint="run the pipeline again: the work that made it is redone; check the disk it lay on",
            )
        self._verified.add(reference.checksum)
        return path

    def commit(self, key: str, record: dict[str, Any], *, exact: bool = True, operators: str = "") -> dict[str, Any]:
        """Write a commit record if there is none; return the record that stands.

        A different record for the same key means that the work is not deterministic: an error for exact operators
        (named by `operators`); for models on other machines the first record stands.
        """
        data = canonical_json(record)
        try:
            existing = self.commits.put_if_absent(key, data)
        except OSError as error:
            raise _full_or_forbidden(error, self.uri, len(data)) from error
        if existing is None or existing == data:
            return record
        standing: dict[str, Any] = orjson.loads(existing)
        if exact:
            raise NotDeterministicError(
                f"{operators or 'a unit of work'} gave other bytes the second time (key {key})",
                where=_differing(standing, record),
                expected="the same bytes for the same input and options",
                hint=f"make {operators or 'the operator'} deterministic, or raise its `version` if it was changed",
            )
        return standing

    def record(self, name: str, data: bytes) -> bytes | None:
        """Write a small record unless the name exists; return None when written, else the bytes that are there."""
        try:
            return self.storage.put_if_absent(name, data)
        except OSError as error:
            raise _full_or_forbidden(error, self.uri, len(data)) from error

    def note(self, name: str, data: bytes) -> None:
        """Write or replace a small record that no commit names."""
        try:
            self.storage.put(name, data)
        except OSError as error:
            raise _full_or_forbidden(error, self.uri, len(data)) from error

    def committed(self, key: str) -> dict[str, Any] | None:
        """Return the record under a key, or None; one that is torn counts as none and is removed."""
        data = self.commits.read(key)
        if data is None:
            return None
        try:
            record: dict[str, Any] = orjson.loads(data)
        except orjson.JSONDecodeError:
            self.forget(key)
            return None
        return record

    def forget(self, key: str, *, later: bool = False) -> None:
        """Remove a commit record, so that its work is done again; many go at once, `later`, with `settle`."""
        try:
            self.commits.forget(key, later=later)
        except OSError as error:
            raise _full_or_forbidden(error, self.uri, 0) from error

    def settle(self) -> None:
        """Remove the records that were to be forgotten later; before work that may make them again."""
        try:
            self.commits.settle()
        except OSError as error:
            raise _full_or_forbidden(error, self.uri, 0) from error

    def gather(self, keys: Iterable[str] = (), least: int | None = None) -> None:
        """Note that these keys were committed, and merge the records that stand alone when there are many.

        For drivers. What fails here (a full disk) is left for another time: nothing depends on it.
        """
        self.commits.alone.update(keys)
        with contextlib.suppress(OSError):
            self.commits.consolidate(least)

    def has_files(self, references: list[FileRef]) -> bool:
        """Say whether all these files are there; their bytes are looked at when they are read.

        One that was damaged meanwhile is removed then, so that the next run finds it missing and makes it again.
        """
        return all(self._there(reference.name) for reference in references)


def read_manifest(store: Store, name: str, missing: str) -> dict[str, Any]:
    """Return the manifest under a name; raises StoreError with `missing` when there is none, ChecksumError if torn."""
    try:
        content: dict[str, Any] = orjson.loads(store.storage.read(name))
    except FileNotFoundError as error:
        raise StoreError(missing, where=store.uri, hint="corpusmill status") from error
    except orjson.JSONDecodeError as error:
        raise damaged_manifest(store, name) from error
    return content


def damaged_manifest(store: Store, name: str) -> ChecksumError:
    """Return the error for a manifest that does not say what its digest stands for."""
    return ChecksumError(
        f"{name} is damaged",
        where=store.uri,
        expected="what was published under this digest",
        hint=f"corpusmill verify {store.uri} --repair forgets it; then run the pipeline that made it again",
    )


def expect_format(manifest: Mapping[str, Any], what: str, where: str) -> None:
    """Raise StoreError for a manifest of another format than this version's; `what` names the thing."""
    found = manifest.get("format")
    if found == FORMAT:
        return
    newer = isinstance(found, int) and found > FORMAT
    raise StoreError(
        f"{what} has format {found!r}, which this corpusmill cannot read",
        where=where,
        expected=f"format {FORMAT}",
        hint="pip install --upgrade corpusmill" if newer else "run the pipeline that made it again",
    )


def make_key(unit: str, *parts: Any) -> str:
    """Return the key of a unit of work: the hash of the format, what kind of unit it is, and its ingredients."""
    return hash_json([FORMAT, unit, *parts])


def content_name(value: Any) -> str:
    """Return the digest that names a small JSON-able thing (a manifest's content)."""
    return hash_bytes(canonical_json(value))


def _differing(left: dict[str, Any], right: dict[str, Any]) -> str:
    names = sorted(name for name in left.keys() | right.keys() if left.get(name) != right.get(name))
    return "differs in: " + ", ".join(names)


@contextlib.contextmanager
def write_errors(uri: str) -> Iterator[None]:
    """Tell what the system says of a write beside the store's own (run folders, journals) as a StoreError."""
    try:
        yield
    except OSError as error:
        raise _full_or_forbidden(error, uri, 0) from error


def _full_or_forbidden(error: OSError, uri: str, needed: int) -> StoreError:
    what = "in the store"
    if "://" in uri and not uri.startswith("object:"):  # the disk of this machine, where files are built
        uri, what = tempfile.gettempdir(), "for files being built"
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        wanted = f"{needed} bytes needed, " if needed else ""
        limit = "; a limit on file sizes (ulimit -f) is set here" if error.errno == errno.EFBIG else ""
        return StoreError(
            f"no space left {what}: {wanted}{_free(uri)} bytes free{limit}",
            where=uri,
            expected="room for what the run makes",
            hint="free some space, then run the same command: finished work is kept",
        )
    if error.errno == errno.ENOENT:
        return StoreError(
            f"cannot write: a folder is gone, or was never there: {str(error.filename or uri)!r}",
            where=uri,
            expected="a folder that is there, and that nobody removes during a run",
            hint="make it, or run the same command again: what a run misses is made again",
        )
    if error.errno == errno.ENOTDIR and (file := next(filter(os.path.isfile, Path(uri).parents), None)):
        return StoreError(
            f"no folder can be made at {uri!r}: {str(file)!r} is a file",
            where=uri,
            expected="a folder, or a path where one can be made",
            hint="take another path, or move the file away",
        )
    return StoreError(
        f"cannot write {'to the store' if what == 'in the store' else 'files being built'}: {error.strerror or error}",
        where=uri,
        expected="a folder that this user may write to",
        hint="check its permissions, or take another with --store",
    )


def _free(uri: str) -> int:
    """Return the free bytes of the disk that a place lies on, or will lie on."""
    path = Path(uri.removeprefix("object://"))
    return shutil.disk_usage(next((one for one in (path, *path.parents) if one.exists()), Path("/"))).free
