"""Progress on the terminal: which observer a run gets, and the plain one that writes timestamped lines."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TextIO

from corpusmill.plugin.hookspecs import hookimpl
from corpusmill.report.pace import StagePace, outcome, positions
from corpusmill.report.plain import duration, visible

MARKS = {"done": "✓", "failed": "✗", "interrupted": "‖"}


def progress_for(stream: TextIO, *, quiet: bool = False, environment: Mapping[str, str] = os.environ) -> Any:
    """Return the observer that shows a run on `stream`; call its `close()` when the run is over, however it ended.

    A terminal gets live bars (rich, honouring NO_COLOR), anything else timestamped lines, `quiet` nothing.
    """
    if quiet:
        return Silence()
    if stream.isatty() and environment.get("TERM") not in (None, "", "dumb"):
        from corpusmill.report.live import LiveProgress  # rich is loaded only where it is used

        return LiveProgress(stream)
    return PlainProgress(stream)


class Silence:
    """The quiet observer: sees nothing, says nothing."""

    def close(self) -> None:
        """Nothing to end."""


class PlainProgress:
    """One line when a stage starts and ends, and in between every `seconds` or tenth of the work.

    `now` gives the wall clock for the stamps, `monotonic` measures; both can be set.
    """

    def __init__(
        self,
        stream: TextIO,
        *,
        seconds: float = 10.0,
        now: Callable[[], datetime] = datetime.now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream, self._seconds, self._now, self._monotonic = stream, seconds, now, monotonic
        self._places: dict[str, str] = {}
        self._stages: dict[str, StagePace] = {}
        self._starts: dict[str, float] = {}
        self._told: dict[str, tuple[float, float]] = {}

    def close(self) -> None:
        """Flush what was said."""
        self._stream.flush()

    @hookimpl
    def corpusmill_run_started(self, run: dict[str, Any]) -> None:
        """Say which run starts, with what, where."""
        self._places = positions(run)
        stages = f"{len(self._places)} stage{'s' if len(self._places) != 1 else ''}"
        facts = f"{stages}, executor {run.get('executor', '?')}, store {run.get('store', '?')}"
        self._say(f"run {run.get('name', '?')} started: {facts}")

    @hookimpl
    def corpusmill_stage_started(self, stage: dict[str, Any]) -> None:
        """Say what there is to do and what was done before."""
        pace = StagePace(stage["id"], position=self._places.get(stage["id"], ""))
        pace.started(stage)
        self._stages[pace.id], self._starts[pace.id] = pace, self._monotonic()
        self._told[pace.id] = (self._starts[pace.id], pace.fraction)
        steps = [step for step in stage.get("steps", []) if step != pace.id]
        shards = f"{pace.total} shard{'' if pace.total == 1 else 's'}"
        parts = [shards if pace.total and pace.kind == "pass" else ""]
        parts += [f"{pace.cached} done before" if pace.cached else ""]
        does = f" ({' > '.join(stage['steps'])})" if steps else ""
        self._stage(pace, f"started{does}" + "".join(f", {part}" for part in parts if part))
        for notice in stage.get("notices", []):
            self._say(f"note: {visible(notice)}")

    @hookimpl
    def corpusmill_shards_committed(self, stage: dict[str, Any]) -> None:
        """Say how far the stage is, when enough has happened since the last line."""
        pace = self._stages.get(stage["id"])
        if pace is None:
            return
        pace.committed(stage, self._monotonic() - self._starts[pace.id])
        self._tell(pace)

    @hookimpl
    def corpusmill_metrics(self, stage: dict[str, Any], step: int, values: dict[str, float]) -> None:
        """Keep the newest numbers for the next line; say them when the work reports no progress of its own."""
        pace = self._stages.get(stage["id"])
        if pace is None:
            return
        pace.metrics.update(values)
        if not pace.total:
            pace.seconds = self._monotonic() - self._starts[pace.id]
            self._tell(pace)

    @hookimpl
    def corpusmill_stage_finished(self, stage: dict[str, Any]) -> None:
        """Say what the stage made."""
        pace = self._stages.pop(stage["id"], None) or StagePace(stage["id"])
        self._stage(pace, f"done: {outcome(stage)}")

    @hookimpl
    def corpusmill_run_finished(self, run: dict[str, Any]) -> None:
        """Say how the run ended."""
        self._say(f"run {run.get('name', '?')} {run.get('status', 'ended')} after {duration(run.get('seconds'))}")
        self._stream.flush()

    def _tell(self, pace: StagePace) -> None:
        now = self._monotonic()
        when, fraction = self._told[pace.id]
        tenth = bool(pace.total) and int(pace.fraction * 10) > int(fraction * 10)
        if now - when < (min(1.0, self._seconds) if tenth else self._seconds):
            return  # also tenths come at most once a second: ten lines about one second help nobody
        if pace.total and pace.done >= pace.total:
            return  # the stage's own last line follows
        self._told[pace.id] = (now, pace.fraction)
        how_far = f"{pace.progress} ({pace.fraction:.0%})" if pace.total else f"at work for {duration(pace.seconds)}"
        self._stage(pace, ", ".join(part for part in (how_far, pace.speed, pace.measured, pace.left) if part))

    def _stage(self, pace: StagePace, text: str) -> None:
        self._say(f"[{pace.position}] {pace.id} {text}" if pace.position else f"{pace.id} {text}")

    def _say(self, text: str) -> None:
        self._stream.write(f"{self._now():%H:%M:%S}  {visible(text)}\n")
        self._stream.flush()
