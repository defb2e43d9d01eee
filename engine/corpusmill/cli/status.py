"""`corpusmill status`: the runs of a store, or one run's stages; says when a run died and how to resume."""

from __future__ import annotations

import json

import click

from corpusmill.runner.records import DEFAULT_STORE


@click.command()
@click.argument("name", required=False)
@click.option("--store", default=DEFAULT_STORE, show_default=True, help="The store whose runs to list.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(name: str | None, store: str, as_json: bool) -> None:
    """List runs, or show the stages of the newest run of NAME (or of NAME@TIME).

    \b
    Examples:
      corpusmill status
      corpusmill status quickstart
      corpusmill status quickstart@20261122 --json
    """
    from corpusmill.report.listing import run_facts, run_text, runs_text
    from corpusmill.runner.records import latest_run, list_runs

    if name is not None:
        run, _, time = name.partition("@")
        record = latest_run(store, run, time or None)
        click.echo(json.dumps(run_facts(record), indent=2) if as_json else run_text(record), nl=as_json)
        return
    records = list_runs(store)
    if as_json:
        click.echo(json.dumps([run_facts(record) for record in records], indent=2))
    elif records:
        click.echo(runs_text(records), nl=False)
    else:
        click.echo(f"no runs in {store!r}; start one with: corpusmill run SPEC")
