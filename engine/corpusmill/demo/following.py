"""Where a run is: its journal read as it grows, from one start of the command to the next."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from corpusmill.demo.child import Place
from corpusmill.report.pace import StagePace, positions
from corpusmill.runner.journal import Event, parse_journal


class Journals:
    """Gives the events of the newest run of a place, each once, whole lines only."""

    def __init__(self, place: Place):
        self._place = place
        self._before = place.journals()
        self._path: Path | None = None
        self._read = 0

    def events(self) -> Sequence[Event]:
        """Return what came since the last call."""
        if self._path is None:
            self._path = min(self._place.journals() - self._before, default=None)
        if self._path is None:
            return []
        with self._path.open("rb") as stream:
            stream.seek(self._read)
            data = stream.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._read += len(whole)
        return parse_journal(whole, self._path)


class Where:
    """The stage a run is in and how far, by what its journal says."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._places: dict[str, str] = {}
        self._order: list[str] = []
        self._began = 0.0
        self.pace: StagePace | None = None
        self.done: list[str] = []

    def take(self, event: Event) -> None:
        """Take one event."""
        data = event.data
        if event.event == "run_started":
            self._places, self._order = positions(dict(data)), [str(stage["id"]) for stage in data["stages"]]
        elif event.event == "stage_started":
            self.pace, self._began = StagePace(data["id"], position=self._places.get(data["id"], "")), self._now()
            self.pace.started(data)
        elif event.event == "shards_committed" and self.pace is not None:
            self.pace.committed(data, self._now() - self._began)
        elif event.event == "metrics" and self.pace is not None:
            self.pace.metrics.update(data["values"])
        elif event.event == "stage_finished":
            self.done.append(str(data["id"]))
            self.pace = None

    @property
    def is_at_work(self) -> bool:
        """Whether a stage is going on."""
        return self.pace is not None

    def reached(self, stage: str, share: float, seconds: float | None) -> bool:
        """Say whether so large a share of a stage is behind the run, or the whole stage.

        `seconds`: what the stage took in a calm run, where it told nothing of its progress; None: by its progress. In
        the last stage, which may be short, everything has been reached: later there is nobody left to kill.
        """
        if self.pace is None:
            return False
        here, there = self._order.index(self.pace.id), self._order.index(stage)
        if here != there or here == len(self._order) - 1:
            return here >= there
        if seconds is None:
            return self.pace.fraction >= share
        return self._now() - self._began >= share * seconds

    @property
    def text(self) -> str:
        """`near 2/6 shards`, `model 34/60`, or `starting`."""
        if self.pace is None:
            return f"after {self.done[-1]}" if self.done else "starting"
        return f"{self.pace.id} {self.pace.progress if self.pace.total > 1 else ''}".rstrip()

    @property
    def line(self) -> str:
        """What a status line shows: place, stage, how far, and a trainer's newest numbers."""
        if self.pace is None:
            return self.text
        parts = [f"{self.pace.position} {self.text}".strip(), self.pace.measured]
        return "  ".join(part for part in parts if part)
