"""`corpusmill report`: one offline HTML file about a run, with the documents nearest to its thresholds."""

from __future__ import annotations

from pathlib import Path

import click

from corpusmill.runner.records import DEFAULT_STORE


@click.command()
@click.argument("run")
@click.option("--store", default=DEFAULT_STORE, show_default=True, help="The store the run is in.")
@click.option("--output", type=click.Path(dir_okay=False), help="The file to write; default report.html of the run.")
@click.option("--recorded", is_flag=True, help="Show only what the run recorded: read no document again.")
@click.option("--open", "open_it", is_flag=True, help="Open it in the browser.")
def report(run: str, store: str, output: str | None, recorded: bool, open_it: bool) -> None:
    """Write the HTML report of RUN anew: finished, failed, interrupted or still running.

    RUN is a run's name, or NAME@TIME. Every run ends with a report of what it recorded; this one also reads the
    documents nearest to each threshold again, and shows how they begin.

    \b
    Examples:
      corpusmill report quickstart --open
      corpusmill report quickstart@20261122 --output quickstart.html
    """
    from corpusmill.cli.terminal import complain, say
    from corpusmill.report.html import report_of
    from corpusmill.runner.records import latest_run

    name, _, time = run.partition("@")
    path = report_of(latest_run(store, name, time or None), Path(output) if output else None, again=not recorded)
    say(str(path))
    if open_it and click.launch(path.resolve().as_uri()):
        complain("no browser could be opened here; the file is written")
