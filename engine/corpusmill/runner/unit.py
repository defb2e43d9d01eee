"""Units of work: what the driver sends to a worker, and what can come back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Unit:
    """One committed, resumable piece of work.

    `kind` names the function in `runner/worker.py`; `payload` is JSON-able: references, ranges and options, never
    documents. `resources`: cpus, gpus, memory (bytes). `weight`: bytes of input, for progress.
    """

    key: str
    kind: str
    payload: dict[str, Any]
    resources: dict[str, Any] = field(default_factory=dict)
    weight: int = 0
    attempts: int = 0
    handles: Any = None
    """Actor handles of a Ray pool for model-based steps; None elsewhere."""


@dataclass(frozen=True)
class Done:
    """The unit's commit record, and the CPU seconds of each of its steps (never part of the record).

    `weary`: why its worker ends after this unit and a fresh one takes its place; empty where it goes on.
    """

    record: dict[str, Any]
    seconds: list[float] = field(default_factory=list)
    weary: str = ""


@dataclass(frozen=True)
class Failed:
    """The unit raised; nothing of it was committed."""

    error: BaseException


@dataclass(frozen=True)
class Died:
    """The worker is gone; `how` in words (killed by signal 11), without addresses or pids."""

    how: str


Outcome = Done | Failed | Died
