"""`corpusmill preview`: a spec up to one step on a sample, without touching the store."""

from __future__ import annotations

import contextlib
import sys

import click

from corpusmill.cli.spec_options import spec_options
from corpusmill.cli.terminal import say_json

_EXAMPLES = """\b
Examples:
  corpusmill preview pipelines/quickstart.yaml quality
  corpusmill preview pipelines/quickstart.yaml near --rows 200 --set near.threshold=0.5
"""


@click.command(epilog=_EXAMPLES)
@spec_options
@click.argument("step")
@click.option("--rows", default=20, show_default=True, type=click.IntRange(1), help="Documents to take of each input.")
@click.option("--store", metavar="URI", help="Where run: and store: references are looked up; it is only read.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, texts uncut.")
def preview(
    spec: str,
    sets: tuple[str, ...],
    params: dict[str, str],
    profile: str | None,
    blocked: tuple[str, ...],
    step: str,
    rows: int,
    store: str | None,
    as_json: bool,
) -> None:
    """Run SPEC up to STEP on a few documents of each input and show what STEP keeps, removes and changes.

    Nothing is stored: the steps run in a temporary folder, on the first documents of a few files of each input.
    Removed documents are shown with rule, value and threshold, changed ones with their difference. What the operator
    of STEP raises is shown with its own line and the smallest text that does it; the exit code is 1 then.
    """
    from corpusmill.cli.trial_text import say_trial, trial_json
    from corpusmill.face.fatal import outlived
    from corpusmill.face.preview import preview as look
    from corpusmill.plan.check import check
    from corpusmill.plugin.local import home_of

    with contextlib.redirect_stdout(sys.stderr):
        checked = check(spec, sets=sets, params=params, profile=profile, blocked=blocked)
        homes = {one.uses: home_of(one.operator) for one in checked.steps}
        found = outlived(
            lambda announce: look(checked, step, rows=rows, store=store, announce=announce), step, homes, checked.local
        )
    if as_json:
        say_json(trial_json(found))
    else:
        say_trial(found, title=f"{step} ({found.uses}) in {spec}, on {rows} documents of each input")
    sys.exit(1 if any(one.failure for one in found.tried) else 0)
