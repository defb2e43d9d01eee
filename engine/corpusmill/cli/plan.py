"""`corpusmill plan`: what a run would do, and why, without doing it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from corpusmill.cli.spec_options import spec_options
from corpusmill.cli.terminal import complain, say, say_json
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
    from corpusmill.runner.records import DEFAULT_STORE

    checked = check(spec, sets=sets, params=params, profile=profile, blocked=blocked, until=until)
    stages = forecast(checked, store, until, relock=relock, retry=retry)
    uri = store or checked.spec.store or DEFAULT_STORE
    if as_json:
        say_json([asdict(stage) for stage in stages])
        _warn_of_space(stages, uri)
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
    if running:
        say(_space(stages, uri))
    _warn_of_space(stages, uri)


def _headline(number: int, stage: Any) -> str:
    known = stage.kind == "pass" and stage.shards
    shards = f", {stage.cached or 0} of {stage.shards} shards committed" if known else ""
    rows = f", {stage.rows:,} rows" if stage.rows is not None else ""
    if stage.bytes is not None:
        rows += f", {format_size(stage.bytes)}"
    if stage.needs and stage.state in ("runs", "waits"):
        rows += f", needs about {format_size(stage.needs)}"
    return f"{number:3}  {stage.state:<7}{' > '.join(stage.steps)}  ({stage.kind}{shards}{rows})"


def _space(stages: Sequence[Any], uri: str) -> str:
    """Return the line on disk space: what is needed, how that is known, what is free."""
    from corpusmill.runner.space import free_bytes

    running = [stage for stage in stages if stage.state in ("runs", "waits")]
    needed, free = sum(stage.needs or 0 for stage in running), free_bytes(uri)
    untold = [stage.id for stage in running if stage.needs is None]
    rough = [stage for stage in running if stage.needs and not stage.needs_known]
    line = f"disk: about {format_size(needed)} needed at most" if needed else "disk: nothing tells what is needed"
    if needed:
        line += " (a rule of thumb: no run has shown it yet)" if rough else " (by what earlier runs made)"
    if untold:
        line += f", {', '.join(untold)} not counted" if needed else ""
    return line if free is None else f"{line}; {format_size(free)} free"


def _warn_of_space(stages: Sequence[Any], uri: str) -> None:
    from corpusmill.runner.space import free_bytes

    needed, free = sum(stage.needs or 0 for stage in stages if stage.state in ("runs", "waits")), free_bytes(uri)
    if free is not None and needed > free:
        complain(
            f"warning: this will not fit: about {format_size(needed)} needed, {format_size(free)} free at {uri!r}\n"
            "  next: free some space, or take another --store; a run that meets a full disk stops, and goes on later"
        )
