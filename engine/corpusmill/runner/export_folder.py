"""The folder of an export: its manifest, whether it holds the bytes that this names, and how it takes its place."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from corpusmill.dataset.disk import disk, remove_tree, rename_file, replace_folder
from corpusmill.dataset.hashing import canonical_json, hash_file, hash_json
from corpusmill.dataset.note import NOTES, note_of, read_note
from corpusmill.dataset.store import Store
from corpusmill.errors import StoreError
from corpusmill.runner.hashed_file import looks

MANIFEST = "corpusmill.json"
"""The export's own manifest: which dataset and recipe made it, and the checksum of each file."""
_NAMES = {"format", "name", "key", "digest", "columns", "splits", "files", "sources", "checksum"}
Looks = Mapping[str, Sequence[int]]
"""By name of file: what the system says of it, all of which stays while nobody writes, replaces or restores it."""


@dataclass(frozen=True)
class Standing:
    """What stands where an export belongs.

    `facts`: its manifest, where it is whole and of the plan at hand. `ours`: whether that plan made it; then `wrong`
    says what is damaged or missing, in words, and `looks` what the system said of the files before they were read.
    `earlier`: the manifest of one that is whole and made again all the same.
    """

    facts: dict[str, Any] | None = None
    ours: bool = False
    wrong: tuple[str, ...] = ()
    looks: Looks = field(default_factory=dict)
    earlier: dict[str, Any] | None = None


def manifest_bytes(facts: Mapping[str, Any]) -> bytes:
    """Return the manifest, with its own checksum."""
    return canonical_json({**facts, "checksum": hash_json(facts)})


def read_facts(data: bytes) -> dict[str, Any] | None:
    """Return what a manifest says; None where it is damaged. One of an earlier version has no checksum."""
    try:
        told = orjson.loads(data)
        facts = {name: value for name, value in told.items() if name != "checksum"}
        whole = told.get("checksum", hash_json(facts)) == hash_json(facts) and set(told) <= _NAMES
    except (orjson.JSONDecodeError, AttributeError):
        return None
    return facts if whole else None


def look_at(folder: Path, made: str, seen: Looks | None = None) -> Standing:
    """Look whether a folder is a whole export of the key `made`; `seen`: see `damage`."""
    try:
        data = (folder / MANIFEST).read_bytes()
    except OSError:
        return Standing()
    facts = read_facts(data)
    if facts is None:
        return Standing(ours=made.encode() in data, wrong=(f"{MANIFEST}: it is damaged",))
    if facts.get("key") != made:
        return Standing()
    now = looks_of(folder, facts["files"])
    wrong = tuple(f"{path.name}: {told}" for path, _, told in damage(folder, facts["files"], seen or {}, now))
    return Standing(None if wrong else facts, True, wrong, now)


def looks_of(folder: Path, files: Sequence[Mapping[str, Any]]) -> Looks:
    """Return what the system says of those files that are there."""
    found: dict[str, Sequence[int]] = {}
    for one in files:
        with contextlib.suppress(OSError):
            found[one["name"]] = list(looks(str(folder / one["name"])))
    return found


def damage(
    folder: Path, files: Sequence[Mapping[str, Any]], seen: Looks, now: Looks
) -> Iterator[tuple[Path, str, str]]:
    """Yield (path, `missing` or `damaged`, in words) of each file that does not hold what the manifest names.

    `seen`: how files looked when their bytes were compared; one that looks the same `now` is not read again.
    """
    for one in files:
        path = folder / one["name"]
        if one["name"] in now and now[one["name"]] == seen.get(one["name"]):
            continue
        try:
            found = hash_file(path)[0]
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            yield path, "missing", "it is not there"
        except OSError as error:
            yield path, "damaged", f"it cannot be read: {error.strerror}"
        else:
            if found != one["xxh3_128"]:
                yield path, "damaged", f"holds other bytes than were exported (hash {found}, not {one['xxh3_128']})"


class Memory:
    """How an export's files looked when their bytes were last compared: a note, which may be lost."""

    def __init__(self, store: Store, folder: Path, made: str):
        self._store = store
        self._name = f"{NOTES}{hash_json(['export', str(folder), made])}.json"
        try:
            self.looks: Looks = read_note(store.storage.read(self._name)) or {}
        except FileNotFoundError:
            self.looks = {}

    def keep(self, found: Looks) -> None:
        """Note it unless it is known; what cannot be noted costs another read."""
        if found != self.looks:
            with contextlib.suppress(StoreError):
                self._store.note(self._name, note_of(dict(found)))


def publish(staging: Path, target: Path, named: Sequence[str]) -> None:
    """Let the staging folder, rid of what is not `named`, take the place of what is at the target, if anything is."""
    _keep_only(staging, {staging / name for name in named})
    disk().sync_folder(staging)
    remove_tree(replaced(target))
    if target.exists():
        replace_folder(staging, target, replaced(target))
    else:
        rename_file(staging, target)
        disk().sync_folder(target.parent)


def replaced(target: Path) -> Path:
    """Return where a replaced folder lies until it is gone; what a killed run left there goes with the next."""
    return target.with_name(f".{target.name}.replaced")


def others(folder: Path, successor: Path, data: Sequence[str]) -> list[str]:
    """Return the names of what a folder holds and its successor does not: what somebody put there or wrote into.

    `data`: names of files that may differ, for that is known.
    """
    found = []
    for path in sorted(folder.rglob("*")):
        name, after = path.relative_to(folder).as_posix(), successor / path.relative_to(folder)
        if path.is_dir() and not path.is_symlink():
            continue
        if not (path.is_file() and after.is_file()) or (name not in data and hash_file(path) != hash_file(after)):
            found.append(name)
    return found


def _keep_only(folder: Path, named: set[Path]) -> None:
    """Remove what the manifest does not name: records of finished files, halves that a killed worker left.

    What cannot be removed is raised, for it would be published.
    """
    for path in sorted(folder.iterdir()):
        if path.is_dir() and any(path in one.parents for one in named):
            _keep_only(path, named)
        elif path not in named:
            _remove(path)


def _remove(path: Path) -> None:
    for entry in sorted(path.iterdir()) if path.is_dir() and not path.is_symlink() else ():
        _remove(entry)
    with contextlib.suppress(FileNotFoundError):
        (disk().remove_folder if path.is_dir() and not path.is_symlink() else disk().unlink)(path)
