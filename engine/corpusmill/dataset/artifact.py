"""Artifacts: folders of files (a tokenizer, a model, metrics) published whole, named by their content."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corpusmill.dataset.disk import copy_file
from corpusmill.dataset.hashing import canonical_json, hash_file, hash_json
from corpusmill.dataset.store import FORMAT, Store, damaged_manifest, expect_format, read_manifest, write_errors
from corpusmill.errors import ChecksumError, StoreError

_NAMES = frozenset({"format", "kind", "files", "summary", "checksum"})


@dataclass(frozen=True)
class Artifact:
    """A published folder: kind (tokenizer, model, …), digest of its files, and the maker's summary."""

    kind: str
    digest: str
    files: tuple[tuple[str, str, int], ...]
    summary: dict[str, Any]

    @property
    def folder(self) -> str:
        """Its name in the store."""
        return f"artifacts/{self.digest}"


def publish_artifact(store: Store, kind: str, folder: Path, summary: dict[str, Any]) -> Artifact:
    """Publish every file of a folder, then its manifest, last. The summary is not part of the digest."""
    files = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        checksum, size = hash_file(path)
        files.append((path.relative_to(folder).as_posix(), checksum, size))
    digest = hash_json([kind, files])
    for name, _, size in files:
        scratch = store.scratch()
        with write_errors(store.uri):
            copy_file(folder / name, scratch)
        store.place(scratch, f"artifacts/{digest}/{name}", size)
    manifest = {"format": FORMAT, "kind": kind, "files": files, "summary": summary}
    manifest["checksum"] = hash_json(manifest)  # the digest does not stand for the summary
    existing = store.record(f"artifacts/{digest}/manifest.json", canonical_json(manifest))
    if existing is not None:
        try:
            summary = open_artifact(store, digest).summary
        except ChecksumError:
            store.note(f"artifacts/{digest}/manifest.json", canonical_json(manifest))
    return Artifact(kind, digest, tuple(files), summary)


def is_whole(digest: str, manifest: Mapping[str, Any]) -> bool:
    """Say whether an artifact's manifest says what was published: its digest and its own checksum fit."""
    said = {name: value for name, value in manifest.items() if name != "checksum"}
    # Without a checksum it was written by an earlier version; with a name that none wrote, a bit of it is another.
    fits = manifest.get("checksum", hash_json(said)) == hash_json(said) and set(manifest) <= _NAMES
    return fits and hash_json([manifest.get("kind"), manifest.get("files")]) == digest


def open_artifact(store: Store, digest: str) -> Artifact:
    """Open a published artifact; raises StoreError when there is none of it, ChecksumError for a damaged one."""
    name = f"artifacts/{digest}/manifest.json"
    manifest = read_manifest(store, name, f"no artifact {digest!r} in the store")
    expect_format(manifest, f"artifact {digest}", f"{store.uri}/{name}")
    if not is_whole(digest, manifest):
        raise damaged_manifest(store, name)
    return Artifact(manifest["kind"], digest, tuple(tuple(file) for file in manifest["files"]), manifest["summary"])


def artifact_folder(store: Store, artifact: Artifact) -> Path:
    """Return a local folder with the artifact's files, verified; a local store's own folder is used as is."""
    folder: Path | None = None
    for name, checksum, _ in artifact.files:
        path, found = _fetched(store, artifact, name)
        if found != checksum and store.storage.remote:
            path.unlink(missing_ok=True)  # the copy alone may be at fault
            path, found = _fetched(store, artifact, name)
        if found != checksum:
            path.unlink(missing_ok=True)
            store.storage.delete(f"{artifact.folder}/{name}")
            raise ChecksumError(
                f"artifact file {name!r} held other bytes than were published; it was removed",
                where=f"{store.uri}/{artifact.folder}",
                hint="run the pipeline again: the work that made it is redone",
            )
        folder = _gather(store, artifact, name, checksum, path, folder)
    if folder is None:
        raise StoreError(f"artifact {artifact.digest} has no files", where=store.uri)
    return folder


def _fetched(store: Store, artifact: Artifact, name: str) -> tuple[Path, str]:
    """Return a local path of a file of an artifact, and its hash; raises StoreError for one that is gone."""
    try:
        path = store.storage.fetch(f"{artifact.folder}/{name}")
        return path, hash_file(path)[0]
    except FileNotFoundError as error:
        raise StoreError(
            f"a file of an artifact is gone: {artifact.folder}/{name}",
            where=store.uri,
            expected="a store that keeps what was published",
            hint="run the same command again; the work that made it is redone",
        ) from error


def _gather(store: Store, artifact: Artifact, name: str, checksum: str, path: Path, folder: Path | None) -> Path:
    """Lay a fetched file into the artifact's folder: a cache of flat objects has no folders of its own.

    What lies there already may be the half of a killed process, so it is checked; a copy appears whole.
    """
    if path.as_posix().endswith(f"{artifact.folder}/{name}"):
        return Path(path.as_posix().removesuffix(f"/{name}"))
    folder = folder or store.storage.scratch() / f"artifact-{artifact.digest}"
    target = folder / name
    if not target.is_file() or hash_file(target)[0] != checksum:
        target.parent.mkdir(parents=True, exist_ok=True)
        arriving = store.scratch()
        shutil.copyfile(path, arriving)
        os.replace(arriving, target)
    return folder
