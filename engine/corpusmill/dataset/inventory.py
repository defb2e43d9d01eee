"""The inventory of a store: every file that its commit records, datasets and artifacts name, and who names it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from corpusmill.dataset.artifact import is_whole
from corpusmill.dataset.commits import PACKS
from corpusmill.dataset.hashing import hash_json, hash_stored
from corpusmill.dataset.note import NOTES, read_note
from corpusmill.dataset.store import FORMAT, FileRef, Store
from corpusmill.errors import CorpusmillError

_DIGEST = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Owner:
    """What names a file: commit, pack, note, dataset, artifact, run or lock; `name`: key, digest or NAME@TIME/step."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass
class NamedFile:
    """A file as it was promised: its name in the store, its xxh3-128, and its owners."""

    name: str
    checksum: str
    owners: list[Owner] = field(default_factory=list)


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: `problem` is `damaged`, `missing` or `newer`; `detail` says what was found instead."""

    name: str
    problem: str
    detail: str
    owners: tuple[Owner, ...]
    export: str | None = None
    """The exported folder that it is in, for what is not in the store."""


class Inventory:
    """Grows by what is added; what cannot be understood is a finding, and names nothing.

    `unknown` holds the names of manifests whose files cannot be told: nothing may be taken for an orphan meanwhile.
    """

    def __init__(self, store: Store):
        self.store = store
        self.files: dict[str, NamedFile] = {}
        self.findings: list[Finding] = []
        self.unknown: list[str] = []
        self.manifests = 0
        self.records = 0

    def add_file(self, name: str, checksum: str, owner: Owner) -> None:
        """Note that a file is named."""
        named = self.files.setdefault(name, NamedFile(name, checksum))
        if owner not in named.owners:
            named.owners.append(owner)

    def add_all(self) -> None:
        """Add all commit records, datasets and artifacts; found by listing, as only `verify` and `gc` do."""
        self.add_commits()
        self.add_notes()
        for kind in ("datasets", "artifacts"):
            for name in self.store.storage.list(f"{kind}/"):
                if name.count("/") == 2 and name.endswith("/manifest.json"):
                    self.add_output(name.split("/")[1], Owner(kind[:-1], name.split("/")[1]), kind)

    def add_commits(self) -> None:
        """Add what commit records name; a record that is torn or damaged counts as none, and is a finding."""
        for name, key, record in self.store.commits.every():
            self.records += 1
            kind = "pack" if name.startswith(PACKS) else "commit"
            owner = Owner(kind, key or name)
            if record is None:
                self.findings.append(Finding(name, "damaged", "holds no whole commit record", (owner,)))
                continue
            for reference in files_in(orjson.loads(record)):
                self.add_file(reference.name, reference.checksum, Owner("commit", key))

    def add_notes(self) -> None:
        """Read the notes; what is damaged is no longer believed by any run, and is a finding."""
        for name in self.store.storage.list(NOTES):
            try:
                whole = read_note(self.store.storage.read(name)) is not None
            except FileNotFoundError:
                continue
            if not whole:
                told = "its checksum does not fit; runs look at their input anew"
                self.findings.append(Finding(name, "damaged", told, (Owner("note", name),)))

    def add_output(self, digest: str, owner: Owner, kind: str | None = None) -> None:
        """Add a dataset, token set or artifact by its digest; `kind`: `datasets` or `artifacts` where it is known."""
        storage = self.store.storage
        kinds = [kind] if kind else ["datasets", "artifacts"]
        name = next((one for one in (f"{kind}/{digest}/manifest.json" for kind in kinds) if storage.exists(one)), None)
        if name is None:
            where = f"{kinds[0]}/{digest}/manifest.json"
            self.findings.append(Finding(where, "missing", "no manifest of this digest", (owner,)))
            return
        self.manifests += 1
        try:
            content = orjson.loads(storage.read(name))
            if isinstance(content.get("format"), int) and content["format"] > FORMAT:
                self._add_newer(name, digest, content["format"])
                return
            wrong = self._add_artifact(digest, content) if name[0] == "a" else self._add_dataset(digest, content)
        except (CorpusmillError, OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            wrong = f"it cannot be read ({type(error).__name__})"
        if wrong:
            self.unknown.append(name)
            self.findings.append(Finding(name, "damaged", wrong, (Owner(name.partition("s/")[0], digest),)))

    def _add_newer(self, name: str, digest: str, found: int) -> None:
        """What a newer version wrote is neither damaged nor understood: it stays, and so does all it may name."""
        self.unknown.append(name)
        detail = f"it has format {found}, which this corpusmill cannot read: pip install --upgrade corpusmill"
        self.findings.append(Finding(name, "newer", detail, (Owner(name.partition("s/")[0], digest),)))

    def _add_artifact(self, digest: str, content: dict[str, Any]) -> str | None:
        if not is_whole(digest, content):
            return "what it says has another digest"
        for name, checksum, _ in content["files"]:
            self.add_file(f"artifacts/{digest}/{name}", checksum, Owner("artifact", digest))
        return None

    def _add_dataset(self, digest: str, content: dict[str, Any]) -> str | None:
        owner = Owner("dataset", digest)
        if content.get("kind") == "tokens":
            if hash_json(content) != digest:
                return "what it says has another digest"
            for reference in files_in(content):
                self.add_file(reference.name, reference.checksum, owner)
            return None
        from corpusmill.dataset.manifest import Dataset, dataset_digest, manifest_of

        parts = FileRef.from_json(content["parts"])
        # Opening would remove a damaged list, and looking changes nothing.
        if hash_stored(self.store.storage, parts.name)[0] != parts.checksum:
            return f"its list of parts, {parts.name}, holds other bytes"
        dataset = Dataset.open(self.store, digest)
        told = dataset_digest(dataset.schema, dataset.entries)
        if told != digest or manifest_of(dataset, parts) != content:
            return "what it says has another digest"
        self.add_file(parts.name, parts.checksum, owner)
        for entry in dataset.entries:
            self.add_file(entry.part.file.name, entry.part.file.checksum, owner)
            if entry.selection is not None:
                self.add_file(entry.selection.file.name, entry.selection.file.checksum, owner)
        return None


def files_in(value: Any) -> Iterator[FileRef]:
    """Yield the file references anywhere in a record: lists of a checksum, a size and a suffix."""
    if isinstance(value, dict):
        for one in value.values():
            yield from files_in(one)
    elif isinstance(value, list):
        if _is_reference(value):
            yield FileRef.from_json(value)
        else:
            for one in value:
                yield from files_in(one)


def _is_reference(value: list[Any]) -> bool:
    if len(value) != 3 or not isinstance(value[0], str) or not isinstance(value[2], str):
        return False
    return isinstance(value[1], int) and value[2].startswith(".") and _DIGEST.fullmatch(value[0]) is not None
