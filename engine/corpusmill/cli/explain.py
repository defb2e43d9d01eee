"""`corpusmill explain`: what a run did with one document, step by step, with values and thresholds."""

from __future__ import annotations

import json

import click

from corpusmill.runner.records import DEFAULT_STORE


@click.command()
@click.argument("run")
@click.argument("document")
@click.option("--store", default=DEFAULT_STORE, show_default=True, help="The store the run is in.")
@click.option("--recorded", is_flag=True, help="Show only what the run recorded: run no step again.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def explain(run: str, document: str, store: str, recorded: bool, as_json: bool) -> None:
    """Say what RUN did with DOCUMENT: kept or removed, by which step, rule, value and threshold.

    RUN is a run's name, or NAME@TIME. DOCUMENT is an id, its first 8 characters or more, or FILE@OFFSET. The steps
    (and plugin files of the run) are run again on this one document, so that those it passed show their values too.

    \b
    Examples:
      corpusmill explain quickstart 3f0c9e1d8a7b4c5d
      corpusmill explain quickstart@20261122 pages-0.warc.gz@18234 --json
    """
    from corpusmill.report.decisions import fate_json, fate_text
    from corpusmill.runner.made_again import told_to_run_again
    from corpusmill.runner.records import latest_run
    from corpusmill.runner.replay import replay
    from corpusmill.runner.trace import trace

    name, _, time = run.partition("@")
    record = latest_run(store, name, time or None)
    with told_to_run_again(record):
        fate = trace(record, document, None if recorded else replay)
    # Colours are written always: click takes them away where the output is no terminal or NO_COLOR is set.
    click.echo(json.dumps(fate_json(fate), indent=2) if as_json else fate_text(fate, colour=True), nl=as_json)
