"""Pace: how far a stage is, how fast it goes and how long it will take, from the events observers get."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from corpusmill.report.plain import count, duration, number, visible
from corpusmill.spec.units import format_size


@dataclass
class StagePace:
    """One stage as the last event left it; `done` and `total` count shards (or units of global work)."""

    id: str
    kind: str = "pass"
    position: str = ""
    """Place among the stages, as '3/9'."""
    done: int = 0
    cached: int = 0
    total: int = 0
    rows: int = 0
    bytes: int = 0
    seconds: float = 0.0
    running: int = 0
    metrics: dict[str, float] = field(default_factory=dict)
    shards: bool = True
    base: tuple[int, float] | None = (0, 0.0)
    """(done, seconds) from which speed is reckoned; None until global work first says how far it is."""

    def started(self, stage: Mapping[str, Any]) -> None:
        """Take what `stage_started` says."""
        self.kind = str(stage.get("kind", "pass"))
        self.total, self.cached = int(stage.get("total") or 0), int(stage.get("cached") or 0)
        self.done = self.cached
        self.base = (self.cached, 0.0) if self.kind == "pass" else None

    def committed(self, stage: Mapping[str, Any], elapsed: float) -> None:
        """Take what `shards_committed` says; `elapsed`: seconds since the stage started, for events without."""
        if is_heartbeat(self.kind, stage):
            self.seconds = elapsed
            return
        self.done, self.total = int(stage.get("done", self.done)), int(stage.get("total") or self.total)
        self.shards = self.kind == "pass" or "running" in stage
        self.rows, self.bytes = int(stage.get("rows") or 0), int(stage.get("bytes") or 0)
        self.seconds = float(stage.get("seconds") or elapsed)
        self.running = int(stage.get("running") or 0)
        if self.base is None:
            # A resumed training starts far in: what was done before must not count as speed.
            self.base = (self.cached, 0.0) if self.shards else (self.done, self.seconds)

    @property
    def fraction(self) -> float:
        """Share of the stage that is complete, 0 to 1."""
        return min(self.done / self.total, 1.0) if self.total else 0.0

    @property
    def remaining(self) -> float | None:
        """Seconds to go, by the speed of this run alone (cached shards took no time); None while unknown."""
        done, seconds = self.base or (self.done, self.seconds)
        if self.done <= done or self.seconds <= seconds or not self.total:
            return None
        return max(self.total - self.done, 0) * (self.seconds - seconds) / (self.done - done)

    @property
    def progress(self) -> str:
        """'3/12 shards', or '150/300' for global work."""
        return f"{count(self.done)}/{count(self.total)}" + (" shards" if self.shards else "")

    @property
    def speed(self) -> str:
        """'1,240 documents/s, 12.3 MB/s'; empty where no documents flow."""
        if not self.rows or self.seconds <= 0:
            return ""
        parts = [f"{count(self.rows / self.seconds)} documents/s"]
        if self.bytes:
            parts.append(f"{format_size(self.bytes / self.seconds)}/s")
        return ", ".join(parts)

    @property
    def measured(self) -> str:
        """The newest metrics: 'loss 4.21, learning_rate 0.001'."""
        return ", ".join(f"{visible(name, 30)} {number(value)}" for name, value in list(self.metrics.items())[:3])

    @property
    def left(self) -> str:
        """'4 s left', or empty while unknown."""
        return f"{duration(self.remaining)} left" if self.remaining else ""


def is_heartbeat(kind: str, stage: Mapping[str, Any]) -> bool:
    """Whether an event only says that a global operator still works: one unit, whose own progress says more."""
    return kind != "pass" and "running" in stage and int(stage.get("total") or 0) <= 1


def outcome(stage: Mapping[str, Any]) -> str:
    """Return what a finished stage did: '5,120 documents, 880 removed, 3 quarantined, 11 s'."""
    counts = stage.get("counts") or {}
    parts = [f"{count(stage['rows'])} rows"] if stage.get("rows") is not None else []
    for word in ("removed", "quarantined"):
        total = sum(sum((one.get(word) or {}).values()) for one in counts.values())
        if total:
            parts.append(f"{count(total)} {word}")
    added = sum(int(one.get("added") or 0) for one in counts.values())
    if added:
        parts.append(f"{count(added)} added")
    return ", ".join([*parts, duration(stage.get("seconds"))])


def positions(run: Mapping[str, Any]) -> dict[str, str]:
    """Return stage id -> its place among the run's stages ('3/9')."""
    stages = run.get("stages") or []
    return {str(stage["id"]): f"{place}/{len(stages)}" for place, stage in enumerate(stages, start=1)}
