"""`corpusmill whatif`: how many documents a filter of a run would remove with other thresholds."""

from __future__ import annotations

import click

from corpusmill.cli.terminal import say, say_json
from corpusmill.runner.records import DEFAULT_STORE


@click.command()
@click.argument("run")
@click.option("--set", "sets", multiple=True, required=True, metavar="STEP.OPTION=VALUE", help="Another value.")
@click.option("--store", default=DEFAULT_STORE, show_default=True, help="The store the run is in.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: a list, one entry a step.")
def whatif(run: str, sets: tuple[str, ...], store: str, as_json: bool) -> None:
    """Say what filters of RUN would remove with other thresholds, from the values they kept.

    RUN is a run's name, or NAME@TIME. Nothing is measured or run again: the step must have kept what it measured
    (`with: {signals: keep}`). Each step is judged on the documents that reached it in the run.

    \b
    Examples:
      corpusmill whatif quickstart --set quality.min_words=50
      corpusmill whatif quickstart --set quality.min_words=50 --set quality.max_symbols=0.05 --json
    """
    from corpusmill.cli.with_options import with_options
    from corpusmill.errors import UsageError
    from corpusmill.report.whatif import what_if_json, what_if_text
    from corpusmill.runner.made_again import told_to_run_again
    from corpusmill.runner.records import latest_run
    from corpusmill.runner.what_if import what_if

    name, _, time = run.partition("@")
    record = latest_run(store, name, time or None)
    asked = with_options(sets, flag="--set")
    for step, options in asked.items():
        if not isinstance(options, dict):
            raise UsageError(f"--set {step} names no option", expected="STEP.OPTION=VALUE")
    with told_to_run_again(record):
        told = [what_if(record, step, options) for step, options in asked.items()]
    if as_json:
        say_json([what_if_json(one) for one in told])
    else:
        say("\n".join(what_if_text(one) for one in told).rstrip("\n"))
