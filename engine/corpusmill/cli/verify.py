"""`corpusmill verify`: reads every file that a store's records, datasets and artifacts name, and compares checksums."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from corpusmill.cli.store_place import existing_store
from corpusmill.cli.terminal import say, say_json
from corpusmill.runner.records import DEFAULT_STORE, RunRecord

if TYPE_CHECKING:
    from corpusmill.dataset.inventory import Finding
    from corpusmill.dataset.verification import Verification


@click.command()
@click.argument("target", metavar="[RUN|STORE]", required=False)
@click.option("--store", default=DEFAULT_STORE, show_default=True, help="The store that runs are looked up in.")
@click.option("--repair", is_flag=True, help="Forget what is damaged, so that the next run makes it again.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def verify(target: str | None, store: str, repair: bool, as_json: bool) -> int:
    """Read every file that commit records, datasets and artifacts name, and compare it with its checksum.

    RUN is NAME or NAME@TIME: only what that run made is read. Exit code 1 when anything is damaged or missing.

    \b
    Examples:
      corpusmill verify
      corpusmill verify quickstart@20261122
      corpusmill verify /data/store --repair
    """
    from corpusmill.dataset.store import Store
    from corpusmill.dataset.verification import repair as forget
    from corpusmill.dataset.verification import verify_files
    from corpusmill.runner.store_check import check_exports, makers, newest_runs, take_inventory

    uri, run = _target(target, store)
    opened = Store(uri)
    checked = verify_files(take_inventory(opened, run))
    findings = [*checked.findings, *check_exports([run] if run is not None else newest_runs(opened))]
    made, specs = makers(opened, findings)
    forgotten = forget(opened, findings) if repair else []
    if as_json:
        say_json(_facts(uri, checked, findings, made, forgotten, specs))
    else:
        _print(uri, checked, findings, made)
        _advise(uri, findings, forgotten, specs, repair)
    return 1 if findings else 0


def _target(target: str | None, store: str) -> tuple[str, RunRecord | None]:
    """Return the store's URI and the run, if one was named."""
    from pathlib import Path

    from corpusmill.runner.records import latest_run

    if target is None or "://" in target or Path(target).is_dir():
        return existing_store(target, store), None
    name, _, time = target.partition("@")
    record = latest_run(store, name, time or None)
    return record.store, record


def _print(uri: str, checked: Verification, findings: Sequence[Finding], made: dict[str, list[str]]) -> None:
    from corpusmill.report.plain import count, visible
    from corpusmill.spec.units import format_size

    read = f"{count(checked.files)} files ({format_size(checked.bytes)}), {count(checked.manifests)} manifests"
    state = f"{count(len(findings))} damaged or missing" if findings else "all whole"
    say(f"{visible(uri)}: read {read}, {count(checked.records)} commit records: {state}")
    for finding in findings:
        say(f"\n{finding.problem}: {visible(finding.name)}")
        say(f"  {visible(finding.detail)}")
        for owner in finding.owners:
            runs = "".join(f", {run}" for run in made.get(owner.name, ()))
            say(f"  belongs to {visible(f'{owner}{runs}')}")


def _advise(uri: str, findings: Sequence[Finding], forgotten: list[str], specs: list[str], repaired: bool) -> None:
    from corpusmill.report.plain import visible

    if not findings:
        return
    say()
    if repaired:
        say(f"forgotten: {len(forgotten)} files and records")
    elif any(finding.problem == "damaged" and not finding.export for finding in findings):
        say(f"to forget what is damaged:  corpusmill verify {visible(uri)} --repair")
    for spec in specs or ["SPEC"]:
        say(f"to make it again:           corpusmill run {visible(spec)}")


def _facts(
    uri: str,
    checked: Verification,
    findings: Sequence[Finding],
    made: dict[str, list[str]],
    forgotten: list[str],
    specs: list[str],
) -> dict[str, Any]:
    return {
        "store": uri,
        "whole": not findings,
        "files": checked.files,
        "bytes": checked.bytes,
        "manifests": checked.manifests,
        "records": checked.records,
        "findings": [
            {
                "name": one.name,
                "problem": one.problem,
                "detail": one.detail,
                "belongs_to": [
                    {"kind": owner.kind, "name": owner.name, "runs": made.get(owner.name, [])} for owner in one.owners
                ],
            }
            for one in findings
        ],
        "forgotten": forgotten,
        "run_again": [f"corpusmill run {spec}" for spec in specs] if findings else [],
    }
