"""`corpusmill show`: what a dataset, an artifact or a published folder holds, and where it is from."""

from __future__ import annotations

import json

import click

from corpusmill.runner.records import DEFAULT_STORE


@click.command()
@click.argument("reference")
@click.option("--store", default=DEFAULT_STORE, show_default=True, help="The store that runs are looked up in.")
@click.option("--rows", default=3, show_default=True, type=click.IntRange(0), help="First rows to show.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, values uncut.")
def show(reference: str, store: str, rows: int, as_json: bool) -> None:
    """Show a dataset, an artifact or a published folder: rows, schema, splits, digest, where from, first rows.

    REFERENCE is run:NAME[@TIME]/STEP[.OUTPUT][.SPLIT], store:DIGEST, or a folder.

    \b
    Examples:
      corpusmill show run:quickstart/split
      corpusmill show run:quickstart/split.test --rows 10
      corpusmill show out/quickstart --json
    """
    from corpusmill.report.inspection import inspection_json, inspection_text
    from corpusmill.report.looking import look_up

    found = look_up(reference, store, rows)
    click.echo(json.dumps(inspection_json(found), indent=2) if as_json else inspection_text(found), nl=as_json)
