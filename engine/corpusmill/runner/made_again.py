"""What to type where a store has lost what a run made: the command of that run, which makes the lost part again."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from corpusmill.errors import ChecksumError, LostFile, UsageError
from corpusmill.runner.command import recorded_command
from corpusmill.runner.records import RunRecord


@contextmanager
def told_to_run_again(record: RunRecord) -> Iterator[None]:
    """Let an error that says that a file of a run is lost or damaged name the command that makes it again."""
    try:
        yield
    except (LostFile, ChecksumError) as error:
        error.hint = run_again(record)
        raise


def run_again(record: RunRecord) -> str:
    """Return the command of a run as it would be typed here; in words where the run left none."""
    told = "run the pipeline again"
    try:
        command = recorded_command(record)
    except UsageError:
        return f"{told}: only what is missing is made again"
    if command.spec is None:
        return f"{told}: only what is missing is made again"
    away = "" if command.folder == Path.cwd() else f"cd {shlex.quote(str(command.folder))} && "
    return f"{told}, which makes only what is missing: {away}{command.line()}"
