"""Verification: every named file read and compared with its checksum, and what is damaged forgotten on request."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from corpusmill.dataset.commits import PACKS
from corpusmill.dataset.hashing import hash_stored
from corpusmill.dataset.inventory import Finding, Inventory, NamedFile
from corpusmill.dataset.note import NOTES
from corpusmill.dataset.store import Store

_OURS = ("artifacts/", "commits/", "datasets/", "files/", NOTES)


@dataclass(frozen=True)
class Verification:
    """What was read (files, bytes, manifests, commit records) and what is wrong, sorted by name."""

    files: int
    bytes: int
    manifests: int
    records: int
    findings: tuple[Finding, ...]


def verify_files(inventory: Inventory) -> Verification:
    """Read every file that the inventory names, and compare; nothing is changed."""
    findings, size = list(inventory.findings), 0
    named = sorted(inventory.files.values(), key=lambda one: one.name)
    for file in named:
        problem, read = _look(inventory.store, file)
        size += read
        if problem is not None:
            findings.append(problem)
    ordered = tuple(sorted(findings, key=lambda one: one.name))
    return Verification(len(named), size, inventory.manifests, inventory.records, ordered)


def repair(store: Store, findings: Iterable[Finding]) -> list[str]:
    """Forget what is damaged, so that the next run makes it again; return the names that were removed, sorted.

    Damaged files go, and the commit records that name a damaged or missing file. A manifest goes only if it cannot
    be opened: one that names a lost file keeps naming the others, and the run that made it makes the lost one again.
    """
    forgotten: set[str] = set()
    mend = False
    for finding in findings:
        mend = mend or finding.name.startswith(PACKS)
        if finding.problem == "damaged" and finding.name.startswith(_OURS) and not finding.name.startswith(PACKS):
            store.storage.delete(finding.name)
            forgotten.add(finding.name)
        for owner in finding.owners:
            if owner.kind == "commit":
                store.forget(owner.name, later=True)
                forgotten.add(f"commit {owner.name}")
    store.settle()
    if mend:
        forgotten.update(store.commits.mend())
    return sorted(forgotten)


def _look(store: Store, file: NamedFile) -> tuple[Finding | None, int]:
    try:
        found, size = hash_stored(store.storage, file.name)
    except FileNotFoundError:
        return Finding(file.name, "missing", "it is not there", tuple(file.owners)), 0
    except OSError as error:
        return Finding(file.name, "damaged", f"it cannot be read: {error.strerror}", tuple(file.owners)), 0
    if found == file.checksum:
        return None, size
    detail = f"holds other bytes than were published ({size} bytes, hash {found}, not {file.checksum})"
    return Finding(file.name, "damaged", detail, tuple(file.owners)), size
