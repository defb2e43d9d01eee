"""The seam to the machine: something that takes units and gives outcomes back as they come."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from corpusmill.runner.pool import Pool
from corpusmill.runner.unit import Outcome, Unit


class Executor(Protocol):
    """Runs units somewhere. Attempts, blame and retries are the policy's business, not the executor's."""

    name: str
    workers: int
    in_flight: int
    """How many units may be submitted and not yet returned."""

    def most(self, resource: str) -> float:
        """Return the most of a resource (`cpus`, `gpus`, `memory` in bytes, `accelerator_type:KIND`) that one unit or
        actor can ever get; infinity where nothing bounds it."""

    def submit(self, unit: Unit) -> None:
        """Start a unit, or queue it."""

    def next(self, timeout: float) -> tuple[Unit, Outcome] | None:
        """Return a unit that ended, waiting at most `timeout` seconds; None when none did."""

    def pools(self, recipes: Mapping[int, Mapping[str, Any]], resources: Mapping[int, Mapping[str, Any]]) -> Any:
        """Start pools of actors for model-based steps (by step), or return None: workers then call them themselves."""

    def release(self, pools: Mapping[int, Pool] | None) -> None:
        """Stop the actors of pools."""

    def cancel(self) -> None:
        """Stop now: end the units in flight without their outcome."""

    def close(self) -> None:
        """Let go of everything; idempotent."""
