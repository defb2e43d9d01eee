"""`corpusmill plan`: what a run would do, and why, without doing it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from corpusmill.cli.spec_options import spec_options
from corpusmill.cli.terminal import say, say_json
from corpusmill.spec.units import format_size


@click.command(epilog="Example: corpusmill plan pipelines/quickstart.yaml --set near.threshold=0.8")
@spec_options
@click.option("--store", metavar="URI", help="Where data lives: a folder or URI; default ./store.")
@click.option("--until", metavar="STEP", help="Only this step and what it needs.")
@click.option("--relock", is_flag=True, help="Look run: references up anew instead of taking spec.lock's.")
@click.option("--retry", is_flag=True, help="What a run with --retry (or `corpusmill retry`) would do.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def plan(
    spec: str,
    sets: tuple[str, ...],
    params: dict[str, str],
    profile: str | None,
    blocked: tuple[str, ...],
    store: str | None,
    until: str | None,
    relock: bool,
    retry: bool,
    as_json: bool,
) -> None:
    """Print the stages that a run of SPEC would go through: what is cached, what runs and which change is the cause.

    Input files are read and hashed, no operator is called. A stage that waits for another may turn out to be cached
    when its input comes out the same.
    """
    from corpusmill.plan.check import check
    from corpusmill.runner.forecast import forecast

    checked = check(spec, sets=sets, params=params, profile=profile, blocked=blocked, until=until)
    stages = forecast(checked, store, until, relock=relock, retry=retry)
    if as_json:
        say_json([asdict(stage) for stage in stages])
        return
    for number, stage in enumerate(stages, 1):
        say(_headline(number, stage))
        for reason in stage.reasons:
            say(f"      because {reason}")
        for note in stage.notes:
            say(f"      note: {note}")
        if stage.why and stage.kind == "pass":
            say(f"      ends here: {stage.why}")
    running = sum(stage.state != "cached" for stage in stages)
    say(f"\n{len(stages)} stages: {len(stages) - running} cached, {running} to run at most")


def _headline(number: int, stage: Any) -> str:
    known = stage.kind == "pass" and stage.shards
    shards = f", {stage.cached or 0} of {stage.shards} shards committed" if known else ""
    rows = f", {stage.rows:,} rows" if stage.rows is not None else ""
    if stage.bytes is not None:
        rows += f", {format_size(stage.bytes)}"
    return f"{number:3}  {stage.state:<7}{' > '.join(stage.steps)}  ({stage.kind}{shards}{rows})"
