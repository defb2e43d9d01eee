"""What a run published: every file that it names in its store and all that it exported, each with its sha256."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corpusmill.demo.child import STORE, Place
from corpusmill.runner.records import RunRecord

_CHUNK = 1 << 20


@dataclass(frozen=True)
class PublishedFile:
    """One file: its name from the run's home, the steps that it belongs to, its size in bytes, its sha256."""

    name: str
    step: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Published:
    """All that a run published. `missing`: what it names and does not have, or has damaged."""

    digests: Mapping[str, str]
    files: tuple[PublishedFile, ...]
    exported: tuple[PublishedFile, ...]
    counts: Mapping[str, Any]
    missing: tuple[str, ...]

    @property
    def sums(self) -> str:
        """What `sha256sum -c` reads: names are relative to the run's home."""
        return "".join(f"{one.sha256}  {one.name}\n" for one in (*self.files, *self.exported))


def published_by(place: Place, record: RunRecord) -> Published:
    """Read everything that a finished run names, to its last byte."""
    from corpusmill.dataset.store import Store
    from corpusmill.runner.store_check import take_inventory

    store = Store(str(place.store))
    inventory = take_inventory(store, record)
    outputs: Mapping[str, Any] = record.outputs.get("outputs") or {}
    steps = {str(output.get("digest")): step for step, output in reversed(list(outputs.items()))}
    files = []
    for name in sorted(inventory.files):
        owners = {_step(owner.name, steps) for owner in inventory.files[name].owners}
        files.append(_file(place.home, f"{STORE}/{name}", min(owners - {""}, default="")))
    digests = {step: str(output.get("digest")) for step, output in outputs.items()}
    for kind in ("datasets", "artifacts"):
        names = {f"{STORE}/{kind}/{digest}/manifest.json": step for digest, step in steps.items()}
        files += [_file(place.home, name, step) for name, step in names.items() if (place.home / name).is_file()]
    missing = tuple(f"{one.problem}: {one.name}" for one in inventory.findings)
    exported = tuple(_exported(place, outputs))
    return Published(digests, tuple(one for one in files if one is not None), exported, _counts(record), missing)


def _step(owner: str, steps: Mapping[str, str]) -> str:
    """The step behind an owner's name: a digest, or NAME@TIME/step."""
    return steps.get(owner, "" if "@" not in owner else owner.partition("/")[2])


def _exported(place: Place, outputs: Mapping[str, Any]) -> Iterator[PublishedFile]:
    home = place.home.resolve()
    for step, output in outputs.items():
        folder = Path(str(output.get("path"))).resolve()
        if output.get("kind") != "files" or not folder.is_relative_to(home):
            continue
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                yield _read(path, path.relative_to(home).as_posix(), step)


def _file(home: Path, name: str, step: str) -> PublishedFile | None:
    """None for what is not there: the inventory says so."""
    path = home / name
    return _read(path, name, step) if path.is_file() else None


def _read(path: Path, name: str, step: str) -> PublishedFile:
    size, digest = 0, hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return PublishedFile(name, step, size, digest.hexdigest())


def _counts(record: RunRecord) -> dict[str, Any]:
    """Where every record went, per step, and what was quarantined or damaged; how long it took is left out."""
    outputs = record.outputs
    counted = {
        step: {name: value for name, value in one.items() if name != "seconds"}
        for step, one in (outputs.get("counts") or {}).items()
    }
    plain = {"steps": counted, "quarantine": outputs.get("quarantine"), "damaged": outputs.get("damaged")}
    read: dict[str, Any] = json.loads(json.dumps(plain))
    return read
