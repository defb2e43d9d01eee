"""What runs promise of a store: their outputs, ledgers, pins and exports, added to the inventory and read whole."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from corpusmill.dataset.inventory import Finding, Inventory, Owner
from corpusmill.dataset.store import Store
from corpusmill.errors import StoreError
from corpusmill.runner.export_folder import MANIFEST, damage, read_facts
from corpusmill.runner.records import RunRecord, list_runs
from corpusmill.runner.spec_lock import lock_path, read_lock

IN_STORE = re.compile(rb"files/[0-9a-f]{2}/([0-9a-f]{32})\.[a-z]+")


def newest_runs(store: Store) -> list[RunRecord]:
    """Return the newest run of each pipeline of a store that says what it made."""
    newest: dict[str, RunRecord] = {}
    for record in list_runs(store.uri):
        if (record.folder / "outputs.json").is_file():
            newest[record.name] = record
    return [newest[name] for name in sorted(newest)]


def take_inventory(store: Store, run: RunRecord | None = None) -> Inventory:
    """Return what one run names; or all that a store's records, manifests, newest runs and locks name."""
    inventory = Inventory(store)
    if run is None:
        inventory.add_all()
    known = {owner.name for file in inventory.files.values() for owner in file.owners}
    known |= {one.name.split("/")[1] for one in inventory.findings if one.name.endswith("/manifest.json")}
    for record in [run] if run is not None else newest_runs(store):
        _add_run(inventory, record, known)
    for name in sorted({record.name for record in list_runs(store.uri)}) if run is None else ():
        _add_lock(inventory, name, known)
    return inventory


def check_exports(runs: Iterable[RunRecord]) -> list[Finding]:
    """Return what is damaged or missing of the folders that runs exported; a folder that was moved is none."""
    findings = []
    for record in runs:
        for step, output in _outputs(record).items():
            folder = Path(str(output.get("path")))
            if output.get("kind") == "files" and (folder / MANIFEST).is_file():
                findings += _check_export(folder, str(output["digest"]), Owner("run", f"{_title(record)}/{step}"))
    return findings


def makers(store: Store, findings: Sequence[Finding]) -> tuple[dict[str, list[str]], list[str]]:
    """Return digest -> `NAME@TIME/step` of newest runs that made it, and the spec files of runs that are concerned.

    Whom a commit record serves is not written in it: where one is concerned, every pipeline of the store may be.
    """
    made: dict[str, list[str]] = {}
    specs: dict[str, str] = {}
    for record in newest_runs(store):
        started = next((one.data for one in record.events if one.event == "run_started"), {})
        specs[_title(record)] = str(started.get("spec", ""))
        for step, output in _outputs(record).items():
            made.setdefault(str(output.get("digest")), []).append(f"{_title(record)}/{step}")
    owners = [owner for finding in findings for owner in finding.owners]
    runs = {run.split("/")[0] for owner in owners for run in (owner.name, *made.get(owner.name, ()))} & specs.keys()
    return made, sorted({specs[run] for run in runs or specs} - {""})


def _add_run(inventory: Inventory, record: RunRecord, known: set[str]) -> None:
    owner = Owner("run", _title(record))
    try:
        outputs = _outputs(record)
    except StoreError as error:
        inventory.findings.append(Finding(str(record.folder / "outputs.json"), "damaged", str(error), (owner,)))
        return
    for step, output in outputs.items():
        digest = str(output.get("digest"))
        if output.get("kind") != "files" and digest not in known:
            inventory.add_output(digest, Owner("run", f"{_title(record)}/{step}"))
            known.add(digest)
    for found in IN_STORE.finditer((record.folder / "outputs.json").read_bytes()):
        inventory.add_file(found[0].decode(), found[1].decode(), owner)


def _add_lock(inventory: Inventory, name: str, known: set[str]) -> None:
    path = lock_path(inventory.store, name)
    try:
        pins = read_lock(path)
    except StoreError as error:
        inventory.findings.append(Finding(str(path), "damaged", str(error), (Owner("run", name),)))
        return
    for text, pin in pins.items():
        if pin.digest not in known:
            inventory.add_output(pin.digest, Owner("lock", f"{name} ({text})"))
            known.add(pin.digest)


def _check_export(folder: Path, digest: str, owner: Owner) -> list[Finding]:
    """Read a whole export; how its files look is no reason here to believe them."""
    try:
        facts = read_facts((folder / MANIFEST).read_bytes())
        if facts is None:
            wrong = "its checksum does not fit, or it is torn"
            return [Finding(str(folder / MANIFEST), "damaged", wrong, (owner,), str(folder))]
        if facts["digest"] != digest:
            return []  # another run's, in the same place
        found = list(damage(folder, facts["files"], {}, {}))
    except (OSError, LookupError, TypeError) as error:
        wrong = f"it cannot be read ({type(error).__name__})"
        return [Finding(str(folder / MANIFEST), "damaged", wrong, (owner,), str(folder))]
    return [Finding(str(path), problem, told, (owner,), str(folder)) for path, problem, told in found]


def _outputs(record: RunRecord) -> Mapping[str, Mapping[str, Any]]:
    made: Mapping[str, Mapping[str, Any]] = record.outputs.get("outputs") or {}
    return made


def _title(record: RunRecord) -> str:
    return f"{record.name}@{record.timestamp}"
