"""track.tensorboard: metrics of a run as event files, which TensorBoard reads from a folder."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from corpusmill import Tracker, hookimpl, option
from corpusmill_plugins.trackers.numbers import evaluation_numbers, finite, metric_name, stage_numbers


class TensorBoard(Tracker):
    """Write metrics as TensorBoard event files.

    Scalars are called `STEP/METRIC`: what training reports at each of its steps, and once a stage the rows in, out,
    removed and quarantined. Evaluations follow at the end of the run. Look at them with `tensorboard --logdir FOLDER`.
    """

    class Options(Tracker.Options):
        """Options of track.tensorboard."""

        folder: str | None = option(
            None, help="folder of event files, one below it for each run; `tensorboard` in the run's own if not given"
        )

    def __init__(self, options: Any):
        super().__init__(options)
        self._writer: Any = None

    @hookimpl
    def corpusmill_run_started(self, run: dict[str, Any]) -> None:
        """Open a file of events."""
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        chosen = self.options.folder
        folder = Path(chosen) / run["name"] / run["timestamp"] if chosen else Path(run["folder"]) / "tensorboard"
        self._writer = EventFileWriter(str(folder))

    @hookimpl
    def corpusmill_metrics(self, stage: dict[str, Any], step: int, values: dict[str, float]) -> None:
        """Write what a global operator reported."""
        self._write(step, ((metric_name(stage["id"], name), value) for name, value in finite(values)))

    @hookimpl
    def corpusmill_stage_finished(self, stage: dict[str, Any]) -> None:
        """Write the counts of a stage."""
        self._write(0, stage_numbers(stage))

    @hookimpl
    def corpusmill_run_finished(self, run: dict[str, Any]) -> None:
        """Write the evaluations, and all that is still held."""
        self._write(0, evaluation_numbers(run["outputs"]))
        if self._writer is not None:
            self._writer.close()

    def _write(self, step: int, scalars: Iterable[tuple[str, float]]) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        values = [Summary.Value(tag=name, simple_value=value) for name, value in scalars]
        if values and self._writer is not None:
            self._writer.add_event(Event(wall_time=time.time(), step=step, summary=Summary(value=values)))
