"""`corpusmill quarantine`: the bad records of a run, by reason, with their places and bytes."""

from __future__ import annotations

from pathlib import Path

import click

from corpusmill.cli.terminal import complain, say_json
from corpusmill.runner.records import DEFAULT_STORE


@click.command()
@click.argument("run")
@click.argument("step", required=False)
@click.option("--store", default=DEFAULT_STORE, show_default=True, help="The store the run is in.")
@click.option(
    "--limit", default=10, show_default=True, type=click.IntRange(0), help="Records shown of each step and reason."
)
@click.option("--raw", type=click.Path(path_type=Path), help="Write the bytes of all: a new file, or into a folder.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def quarantine(run: str, step: str | None, store: str, limit: int, raw: Path | None, as_json: bool) -> None:
    """List the bad records of RUN (of its STEP) by reason, with file, byte offset, length, detail and id.

    RUN is a run's name, or NAME@TIME. Damaged files, of which no record was taken, are listed apart. What a step
    raised on, crashed on or was too slow for is tried again by `corpusmill retry RUN`. Of each record the first 4,096
    bytes are kept; --raw writes them as they stood, a line each.

    \b
    Examples:
      corpusmill quarantine quickstart
      corpusmill quarantine quickstart pages --limit 100 --json
      corpusmill quarantine quickstart pages --raw bad.jsonl
    """
    from corpusmill.report.quarantine import quarantine_json, quarantine_text, write_raw
    from corpusmill.runner.bad_records import collect_bad_records, iterate_bad_records
    from corpusmill.runner.made_again import told_to_run_again
    from corpusmill.runner.records import latest_run

    name, _, time = run.partition("@")
    record = latest_run(store, name, time or None)
    with told_to_run_again(record):
        found = collect_bad_records(record, step, limit)
    if raw is not None:
        written, cut = write_raw(iterate_bad_records(record, step), raw)
        complain(f"{written} records written to {raw}" + (f", {cut} of them cut to 4,096 bytes" if cut else ""))
    if as_json:
        say_json(quarantine_json(record, found))
    else:
        click.echo(quarantine_text(record, found), nl=False)
