"""Live progress for a terminal: a bar for each stage at work, a mark and a line for each that is done."""

from __future__ import annotations

import time
from typing import Any, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TaskID
from rich.text import Text

from corpusmill.plugin.hookspecs import hookimpl
from corpusmill.report.pace import StagePace, outcome, positions
from corpusmill.report.plain import duration, visible
from corpusmill.report.progress import MARKS


class _Words(ProgressColumn):
    """One cell of words about a stage. Text objects, never strings: rich reads markup in strings."""

    def __init__(self, field: str, style: str = "") -> None:
        super().__init__()
        self._field, self._style = field, style

    def render(self, task: Task) -> Text:
        """Return the words of this column."""
        pace: StagePace = task.fields["pace"]
        return Text(_words(pace, self._field, task.elapsed or 0.0), style=self._style, overflow="ellipsis")


class LiveProgress:
    """Shows a run on a terminal with rich; colours follow NO_COLOR, and nothing stays but the finished lines."""

    def __init__(self, stream: TextIO) -> None:
        self._console = Console(file=stream, highlight=False, markup=False, emoji=False)
        columns = (_Words("name", "bold"), BarColumn(24), _Words("progress"), _Words("speed", "dim"), _Words("time"))
        self._bars = Progress(SpinnerColumn(), *columns, console=self._console, transient=True, refresh_per_second=8)
        self._places: dict[str, str] = {}
        self._stages: dict[str, tuple[StagePace, TaskID, float]] = {}

    def close(self) -> None:
        """Take the bars off the terminal and give the cursor back; harmless when already closed."""
        self._bars.stop()

    @hookimpl
    def corpusmill_run_started(self, run: dict[str, Any]) -> None:
        """Say which run starts, with what, where."""
        self._places = positions(run)
        self._print(f"{run.get('name', '?')}", "bold", f"  {len(self._places)} stages on {run.get('executor', '?')}")
        self._bars.start()

    @hookimpl
    def corpusmill_stage_started(self, stage: dict[str, Any]) -> None:
        """Add a bar."""
        pace = StagePace(stage["id"], position=self._places.get(stage["id"], ""))
        pace.started(stage)
        task = self._bars.add_task("", total=pace.total or None, completed=pace.done, pace=pace)
        self._stages[pace.id] = (pace, task, time.monotonic())
        for notice in stage.get("notices", []):
            self._print("note:", "yellow", notice)

    @hookimpl
    def corpusmill_shards_committed(self, stage: dict[str, Any]) -> None:
        """Move the bar."""
        if stage["id"] in self._stages:
            pace, task, start = self._stages[stage["id"]]
            pace.committed(stage, time.monotonic() - start)
            self._bars.update(task, total=pace.total or None, completed=pace.done)

    @hookimpl
    def corpusmill_metrics(self, stage: dict[str, Any], step: int, values: dict[str, float]) -> None:
        """Show the newest numbers beside the bar."""
        if stage["id"] in self._stages:
            self._stages[stage["id"]][0].metrics.update(values)

    @hookimpl
    def corpusmill_stage_finished(self, stage: dict[str, Any]) -> None:
        """Replace the bar by a line that stays."""
        shown = self._stages.pop(stage["id"], None)
        if shown is not None:
            self._bars.remove_task(shown[1])
        name = f"{MARKS['done']} {stage['id']}"
        self._print(name, "green", f"  {outcome(stage)}")

    @hookimpl
    def corpusmill_run_finished(self, run: dict[str, Any]) -> None:
        """Take the bars away and say how the run ended; stages still open are marked."""
        self.close()
        status = str(run.get("status", "done"))
        for pace, _, _ in self._stages.values():
            self._print(f"{MARKS.get(status, '✗')} {pace.id}", "red", f"  {status} at {pace.progress}")
        style = "bold green" if status == "done" else "bold red"
        self._print(f"{MARKS.get(status, '✗')} {status}", style, f" after {duration(run.get('seconds'))}")

    def _print(self, head: str, style: str, rest: str = "") -> None:
        text = Text(visible(head), style=style)
        text.append("  " + visible(rest) if rest else "", style="not bold default")
        self._console.print(text, soft_wrap=True)


def _words(pace: StagePace, field: str, elapsed: float) -> str:
    if field == "name":
        return visible(f"{pace.position} {pace.id}".strip(), 32)
    if field == "progress":
        return pace.progress if pace.total else ""
    if field == "speed":
        return pace.speed or pace.measured
    return " ".join(part for part in (duration(elapsed), pace.left and f"({pace.left})") if part)
