"""The ending: everything `run` prints once a run is over, and the observers that every run gets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from corpusmill.errors import CorpusmillError
from corpusmill.plugin.hookspecs import hookimpl
from corpusmill.report.commands import next_commands
from corpusmill.report.html import FILE_NAME, HtmlReport
from corpusmill.report.progress import progress_for
from corpusmill.report.summary import summarise
from corpusmill.runner.interrupts import typed_command
from corpusmill.runner.records import RunRecord
from corpusmill.runner.search import first_removal


def run_observers(stream: TextIO, *, quiet: bool = False) -> list[Any]:
    """Return the observers to register for a run: progress on `stream`, and the HTML report.

    The journal is not among them: the run itself writes it. Call `close()` of the first when the run is over.
    """
    return [progress_for(stream, quiet=quiet), HtmlReport()]


class Ending:
    """Keeps what a run told at its end, so that one that failed is summed up like one that did not."""

    def __init__(self) -> None:
        self.run: Mapping[str, Any] | None = None
        """What `outputs.json` holds, and folder; None until the run is over, and for one that was refused."""

    @hookimpl
    def corpusmill_run_finished(self, run: dict[str, Any]) -> None:
        """Keep it."""
        self.run = run

    def text(self, spec: str | None = None) -> str | None:
        """Return the summary of a run that failed, without its error, which is told apart; None where there is none.

        What cannot be read (a full disk, a store that is gone) must not take the place of why the run failed.
        """
        if self.run is None:
            return None
        try:
            return ending_text({**self.run, "error": None}, spec=spec)
        except (CorpusmillError, OSError):
            return None


def ending_text(run: Mapping[str, Any], *, spec: str | None = None) -> str:
    """Return the end-of-run text of a finished run.

    `run`: what `run_finished` tells (`outputs.json` and `folder`). `spec`: the pipeline file as the user named it.
    """
    folder = Path(run["folder"])
    record = RunRecord(str(run.get("name", "")), folder.name, folder)
    commands = next_commands(
        run,
        plan=record.plan,
        store=_short(record.store),
        spec=spec,
        removed_id=_example(record),
        typed=typed_command(),
    )
    report = folder / FILE_NAME
    shown = _short(str(report)) if report.is_file() else None
    return summarise(run, plan=record.plan, events=record.events, commands=commands, report=shown)


def _example(record: RunRecord) -> str | None:
    """Return the id of a removed document; a ledger that cannot be read must not spoil the end of a good run."""
    try:
        removal = first_removal(record)
    except CorpusmillError:
        return None
    return removal.id if removal else None


def _short(path: str) -> str:
    """Return the path as seen from here where that is shorter to type; a URI stays as it is."""
    if "://" in path:
        return path
    try:
        return str(Path(path).resolve().relative_to(Path.cwd()))
    except ValueError:
        return path
