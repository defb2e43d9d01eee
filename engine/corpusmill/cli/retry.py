"""`corpusmill retry`: a run's own command again, trying anew what its steps failed on."""

from __future__ import annotations

import contextlib
from pathlib import Path

import click

from corpusmill.cli.spec_options import named_values
from corpusmill.cli.terminal import complain
from corpusmill.runner.records import DEFAULT_STORE


@click.command()
@click.argument("run")
@click.option("--store", default=DEFAULT_STORE, show_default=True, help="The store the run is in.")
@click.option("--set", "sets", multiple=True, metavar="ID.OPTION=VALUE", help="Change an option of a step, too.")
@click.option("--param", "params", multiple=True, metavar="NAME=VALUE", callback=named_values, help="Another value.")
@click.option("--wait", is_flag=True, help="Wait for another run of this pipeline instead of refusing.")
@click.option("--quiet", "-q", is_flag=True, help="No progress; only the summary.")
@click.option("--json", "as_json", is_flag=True, help="Print the run's outputs as JSON at the end.")
def retry(
    run: str, sets: tuple[str, ...], store: str, params: dict[str, str], wait: bool, quiet: bool, as_json: bool
) -> None:
    """Run the pipeline of RUN again after a fix: what its steps raised on, crashed on or were too slow for.

    RUN is a run's name, or NAME@TIME; `corpusmill quarantine RUN` lists what it left out. The command that made it is
    given again, from the folder it was given in, with the same options; the spec, its plugins and its input are taken
    as they are now. What succeeded is not done again. Records that a reader turned away come in when their files, the
    reader or its limits change.

    \b
    Examples:
      corpusmill retry quickstart
      corpusmill retry quickstart@20261122 --store /data/store
      corpusmill retry quickstart --set export.replace=true
    """
    from corpusmill.cli.run import carry_out
    from corpusmill.runner.command import recorded_command
    from corpusmill.runner.driver import RunOptions
    from corpusmill.runner.records import latest_run

    name, _, time = run.partition("@")
    record = latest_run(store, name, time or None)
    command = recorded_command(record, params, sets)
    command.expect_there()
    for change in command.changes():
        complain(f"note: {change}")
    complain(f"again, in {command.folder}: {command.line('--retry')}")
    place = store if "://" in store else str(Path(store).resolve())
    options = RunOptions(store=place, wait=wait, retry=True, given=command.given, **command.options)
    with contextlib.chdir(command.folder):
        carry_out(command.source, options, quiet=quiet, as_json=as_json)
