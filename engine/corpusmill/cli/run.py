"""`corpusmill run`: do what a spec says, or go on where it stopped."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from corpusmill.cli.spec_options import spec_options
from corpusmill.cli.terminal import complain, say, say_json

if TYPE_CHECKING:
    from corpusmill.plan.checked import CheckedSpec
    from corpusmill.report.ending import Ending
    from corpusmill.runner.driver import RunOptions


@click.command(epilog="Example: corpusmill run pipelines/quickstart.yaml --executor ray --workers 2")
@spec_options
@click.option("--store", metavar="URI", help="Where data lives: a folder or URI; default ./store.")
@click.option("--executor", metavar="NAME", help="auto, inline or ray.")
@click.option("--address", metavar="HOST:PORT", help="A Ray cluster that is running (or `auto`).")
@click.option("--workers", type=click.IntRange(1), help="How many workers a local Ray cluster gets.")
@click.option("--batch-bytes", metavar="SIZE", help="How much text a batch holds; changes speed, never a result.")
@click.option("--until", metavar="STEP", help="Run this step and what it needs, no more.")
@click.option("--seed", type=int, help="Another seed than the spec's.")
@click.option("--limit", type=click.IntRange(1), help="Documents a shard: a quick try; kept apart from full runs.")
@click.option("--debug", is_flag=True, help="Run everything in this process, so that breakpoints work.")
@click.option("--wait", is_flag=True, help="Wait for another run of this pipeline instead of refusing.")
@click.option("--relock", is_flag=True, help="Look run: references up anew instead of taking spec.lock's.")
@click.option("--retry", is_flag=True, help="Try again what steps failed on before: raised, crashed, too slow.")
@click.option("--quiet", "-q", is_flag=True, help="No progress; only the summary.")
@click.option("--json", "as_json", is_flag=True, help="Print the run's outputs as JSON at the end.")
def run(
    spec: str,
    sets: tuple[str, ...],
    params: dict[str, str],
    profile: str | None,
    blocked: tuple[str, ...],
    store: str | None,
    executor: str | None,
    address: str | None,
    workers: int | None,
    batch_bytes: str | None,
    until: str | None,
    seed: int | None,
    limit: int | None,
    debug: bool,
    wait: bool,
    relock: bool,
    retry: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Run the pipeline file SPEC. What is done is kept: the same command goes on where it stopped.

    Exit codes: 0 done, 1 failed, 2 wrong spec or usage, 3 more bad records than allowed, 130 interrupted.
    """
    from corpusmill.runner.command import Given
    from corpusmill.runner.driver import RunOptions

    laid = {"run.batch_bytes": batch_bytes, "seed": seed}
    settings = {name: value for name, value in laid.items() if value is not None}
    given = Given(sets, params, profile, blocked, settings)
    options = RunOptions(store, executor, address, workers, until, limit, debug, wait, relock, retry, given=given)
    carry_out(spec, options, quiet=quiet, as_json=as_json)


def carry_out(spec: str | Mapping[str, Any], options: RunOptions, *, quiet: bool, as_json: bool) -> None:
    """Check a spec and run it, with progress, notes and the summary as `corpusmill run` prints them."""
    from corpusmill.report.ending import Ending, ending_text, run_observers
    from corpusmill.runner.driver import run_spec

    ending, named = Ending(), spec if isinstance(spec, str) else "SPEC"
    # What plugins and Ray print meanwhile goes to stderr: stdout holds the answer and nothing else.
    try:
        with contextlib.redirect_stdout(sys.stderr):
            checked = options.given.check(spec, options.until)
            _name_plugin_files(checked, quiet=quiet)
            result = run_spec(checked, options, [*run_observers(sys.stderr, quiet=quiet or as_json), ending])
    except BaseException:
        _say_failed(ending, named, as_json=as_json)
        raise
    for notice in result.notices:
        complain(f"note: {notice}")
    if as_json:
        say_json({**result.outputs, "folder": str(result.folder)})
    else:
        say(ending_text({**result.outputs, "folder": str(result.folder)}, spec=named))


def _name_plugin_files(checked: CheckedSpec, *, quiet: bool) -> None:
    """Say which files of the spec run as code, and where they lie."""
    for plugin in () if quiet else checked.local:
        complain(f"plugin file: {(checked.spec.base / plugin.name).resolve()}")


def _say_failed(ending: Ending, spec: str, *, as_json: bool) -> None:
    """Sum up a run that did not finish; the error itself is told by whoever catches it, last, where people look."""
    if as_json and ending.run is not None:
        say_json(ending.run)
    elif (text := ending.text(spec)) is not None:
        say(text)
