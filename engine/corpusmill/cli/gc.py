"""`corpusmill gc`: removes what nothing in a store names, and nothing else; says what it frees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from corpusmill.cli.store_place import existing_store
from corpusmill.cli.terminal import say, say_json
from corpusmill.errors import UsageError
from corpusmill.runner.records import DEFAULT_STORE

if TYPE_CHECKING:
    from corpusmill.runner.orphans import Orphan, Sweep

_MEANING = {
    "unnamed": "files that no record and no manifest names",
    "unfinished": "files whose writing was never finished",
    "superseded": "commit records that stand in a pack too",
    "scratch": "old scratch",
    "lease": "leases of dead runs",
}


@click.command()
@click.argument("target", metavar="[STORE]", required=False)
@click.option("--store", default=DEFAULT_STORE, show_default=True, help="The store, if none is named.")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@click.option("--older-than", default="1 d", show_default=True, metavar="DURATION", help="Leave what is younger.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def gc(target: str | None, store: str, dry_run: bool, older_than: str, as_json: bool) -> None:
    """Remove what nothing names: leftovers of killed runs, records that were merged, old scratch, dead leases.

    STORE is the folder or URI of a store. What a dataset, an artifact, a commit record or a run names is never removed.
    Beside a run that is going on, whatever is newer than its start is left; scratch is left for a day at least.

    \b
    Examples:
      corpusmill gc --dry-run
      corpusmill gc /data/store --older-than 2h
    """
    from corpusmill.dataset.store import Store
    from corpusmill.runner.orphans import find_orphans, remove_orphans
    from corpusmill.spec.units import parse_duration

    try:
        seconds = parse_duration(older_than)
    except ValueError as error:
        raise UsageError(f"--older-than {older_than!r}", expected=str(error), hint="corpusmill gc --help") from error
    uri = existing_store(target, store)
    opened = Store(uri)
    sweep = find_orphans(opened, seconds)
    gone = list(sweep.orphans) if dry_run else remove_orphans(opened, sweep)
    if as_json:
        say_json(_facts(uri, sweep, gone, dry_run))
    else:
        _print(uri, sweep, gone, dry_run)


def _print(store: str, sweep: Sweep, gone: Sequence[Orphan], dry_run: bool) -> None:
    from corpusmill.report.plain import count, table, visible
    from corpusmill.spec.units import format_size

    rows = []
    for why, meaning in _MEANING.items():
        own = [one for one in gone if one.why == why]
        if own:
            rows.append([meaning, count(len(own)), format_size(sum(one.bytes for one in own))])
    total = format_size(sum(one.bytes for one in gone))
    say(f"{visible(store)}: {'would free' if dry_run else 'freed'} {total}")
    for line in table(rows, ".rr") if rows else ():
        say(line)
    if sweep.young:
        say(f"left for being young: {count(sweep.young)}")
    for name in sweep.running:
        say(f"{visible(name)} is running: what is newer than its start was left")


def _facts(store: str, sweep: Sweep, gone: Sequence[Orphan], dry_run: bool) -> dict[str, object]:
    return {
        "store": store,
        "dry_run": dry_run,
        "bytes": sum(one.bytes for one in gone),
        "removed": [{"name": one.name, "why": one.why, "bytes": one.bytes} for one in gone],
        "young": sweep.young,
        "running": list(sweep.running),
    }
