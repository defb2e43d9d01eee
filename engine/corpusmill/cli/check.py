"""`corpusmill check`: all problems of a pipeline file at once."""

from __future__ import annotations

import sys
from typing import Any

import click

from corpusmill.cli.spec_options import spec_options
from corpusmill.cli.terminal import complain, say, say_json
from corpusmill.errors import SpecError


@click.command(epilog="Example: corpusmill check pipelines/quickstart.yaml --set near.threshold=0.7")
@spec_options
@click.option("--json", "as_json", is_flag=True, help="Print problems and steps as JSON.")
def check(
    spec: str,
    sets: tuple[str, ...],
    params: dict[str, str],
    profile: str | None,
    blocked: tuple[str, ...],
    as_json: bool,
) -> None:
    """Check the pipeline file SPEC: keys, operators, options, inputs, columns, ports. Reads no data, writes nothing.

    Exit code 0 when all is well, 2 when something is wrong.
    """
    from corpusmill.plan.check import check as check_spec
    from corpusmill.runner.references import stale_notes

    try:
        checked = check_spec(spec, sets=sets, params=params, profile=profile, blocked=blocked)
    except SpecError as error:
        _report(error, as_json)
        sys.exit(error.exit_code)
    for broken in checked.registry.broken:
        complain(f"warning: plugin {broken.origin.plugin} ({broken.origin.name}) cannot be loaded: {broken.cause}")
    notes = stale_notes(checked)
    if as_json:
        say_json({"ok": True, "problems": [], "notes": notes, "steps": [_step(step) for step in checked.steps]})
    else:
        count = len(checked.steps)
        for note in notes:
            complain(f"note: {note}")
        say(f"ok: {count} step{'' if count == 1 else 's'}")


def _report(error: SpecError, as_json: bool) -> None:
    if as_json:
        say_json({"ok": False, "problems": [problem.to_json() for problem in error.problems]})
        return
    say(str(error))
    count = len(error.problems)
    complain(f"\n{count} problem{'' if count == 1 else 's'}")


def _step(step: Any) -> dict[str, Any]:
    schema = {name: str(kind) for name, kind in step.schema.items()} if step.schema is not None else None
    inputs = {port: [ref.text for ref in refs] for port, refs in step.inputs.items()}
    return {"id": step.id, "uses": step.uses, "inputs": inputs, "schema": schema, "splits": step.splits}
