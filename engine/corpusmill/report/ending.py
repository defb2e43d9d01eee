"""The ending: everything `run` prints once a run is over, and the observers that every run gets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from corpusmill.errors import CorpusmillError
from corpusmill.report.commands import next_commands
from corpusmill.report.html import FILE_NAME, HtmlReport
from corpusmill.report.progress import progress_for
from corpusmill.report.summary import summarise
from corpusmill.runner.records import RunRecord
from corpusmill.runner.search import first_removal


def run_observers(stream: TextIO, *, quiet: bool = False) -> list[Any]:
    """Return the observers to register for a run: progress on `stream`, and the HTML report.

    The journal is not among them: the run itself writes it. Call `close()` of the first when the run is over.
    """
    return [progress_for(stream, quiet=quiet), HtmlReport()]


def ending_text(run: Mapping[str, Any], *, spec: str | None = None) -> str:
    """Return the end-of-run text of a finished run.

    `run`: what `run_finished` tells (`outputs.json` and `folder`). `spec`: the pipeline file as the user named it.
    """
    folder = Path(run["folder"])
    record = RunRecord(str(run.get("name", "")), folder.name, folder)
    commands = next_commands(run, plan=record.plan, store=_short(record.store), spec=spec, removed_id=_example(record))
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
    """Return the path as seen from here where that is shorter to type."""
    try:
        return str(Path(path).resolve().relative_to(Path.cwd()))
    except ValueError:
        return path
