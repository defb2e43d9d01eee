"""Orphans: what lies in a store and nothing names, found and removed beside runs that may be going on."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import orjson

from corpusmill.dataset.inventory import Inventory, files_in
from corpusmill.dataset.store import FileRef, Store
from corpusmill.errors import CorpusmillError, StoreError
from corpusmill.runner.lease import Held, drop_lease, held_leases
from corpusmill.runner.leftovers import OLD, old_scratch, remove
from corpusmill.runner.records import list_runs
from corpusmill.runner.remote_lease import running_elsewhere
from corpusmill.runner.store_check import IN_STORE

_SKEW = 600.0
"""Seconds by which the clocks of two machines that share a store may differ."""


@dataclass(frozen=True)
class Orphan:
    """Something that may go. `why`: unnamed, unfinished, superseded, scratch or lease; `modified`: epoch seconds."""

    name: str
    why: str
    bytes: int
    modified: float


@dataclass(frozen=True)
class Sweep:
    """What was found: orphans in order, how many were left for being young, and the pipelines that are running."""

    orphans: tuple[Orphan, ...]
    young: int
    running: tuple[str, ...]


def find_orphans(store: Store, older_than: float = OLD) -> Sweep:
    """Return what may go: older than `older_than` seconds, and than the start of every run that is going on.

    What lies there is listed before what is named is read: a file whose record comes in between is not listed, or
    named. Raises StoreError when a manifest cannot be understood, for then nobody knows what it names.
    """
    leases = held_leases(store)
    living = {one.name: one.since for one in leases if one.lives} | running_elsewhere(store)
    before = min([time.time() - older_than, *(since - _SKEW for since in living.values())])
    lying = [name for kind in ("files/", "artifacts/") for name in store.storage.list(kind)]
    unfinished = list(store.storage.unfinished())
    named = _named(store)
    superseded = store.commits.superseded()
    found = [
        *_look(store, (name for name in lying if name not in named), "unnamed"),
        *_look(store, unfinished, "unfinished"),
        *_look(store, superseded, "superseded"),
    ]
    old = [one for one in found if one.modified <= before]
    scratch = [_local(path, "scratch") for path in old_scratch(store.storage.scratch(), min(before, time.time() - OLD))]
    dead = [_local(one.path, "lease") for one in leases if not one.lives]
    return Sweep((*old, *scratch, *dead), len(found) - len(old), tuple(living))


def remove_orphans(store: Store, sweep: Sweep) -> list[Orphan]:
    """Remove what was found, each looked at once more: one that was written again meanwhile is in use, and stays."""
    leases = {str(one.path): one for one in held_leases(store)}
    return [one for one in sweep.orphans if _remove(store, one, leases)]


def _remove(store: Store, orphan: Orphan, leases: dict[str, Held]) -> bool:
    if orphan.why == "scratch":
        remove(Path(orphan.name))
    elif orphan.why == "lease":
        held = leases.get(orphan.name)
        if held is None or held.lives:
            return False
        drop_lease(store, held)
    else:
        try:
            if store.storage.modified(orphan.name) != orphan.modified:
                return False
        except FileNotFoundError:
            return False
        store.storage.delete(orphan.name)
    return True


def _named(store: Store) -> set[str]:
    """Return every name that a record, a manifest or a run says, and what lists that they name say in turn."""
    inventory = Inventory(store)
    inventory.add_all()
    if inventory.unknown:
        raise StoreError(
            f"what {inventory.unknown[0]} names cannot be told, so nothing is known to be an orphan",
            where=store.uri,
            expected="manifests that can be read",
            hint=f"corpusmill verify {store.uri} says what is wrong; with --repair it is forgotten",
        )
    named = set(inventory.files)
    named.update(f"artifacts/{digest}/manifest.json" for digest in _artifacts(inventory))
    for record in list_runs(store.uri):
        for path in record.folder.glob("*.json"):
            named.update(found[0].decode() for found in IN_STORE.finditer(path.read_bytes()))
    for name in [one for one in named if one.startswith("files/") and one.endswith(".json")]:
        named.update(one.name for one in _listed(store, name))
    return named


def _artifacts(inventory: Inventory) -> Iterable[str]:
    names = inventory.store.storage.list("artifacts/")
    return {name.split("/")[1] for name in names if name.count("/") == 2 and name.endswith("/manifest.json")}


def _listed(store: Store, name: str) -> list[FileRef]:
    try:
        return list(files_in(orjson.loads(store.storage.read(name))))
    except (OSError, ValueError, CorpusmillError):
        return []


def _look(store: Store, names: Iterable[str], why: str) -> list[Orphan]:
    found = []
    for name in names:
        try:
            found.append(Orphan(name, why, store.storage.size(name), store.storage.modified(name)))
        except FileNotFoundError:
            continue
    return found


def _local(path: Path, why: str) -> Orphan:
    files = [one for one in path.rglob("*") if one.is_file()] if path.is_dir() else [path]
    try:
        return Orphan(str(path), why, sum(one.lstat().st_size for one in files), path.lstat().st_mtime)
    except OSError:
        return Orphan(str(path), why, 0, 0.0)
