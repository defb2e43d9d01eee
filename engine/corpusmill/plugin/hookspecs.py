"""The hooks: one registers operators, six tell observers what a run does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from corpusmill.plugin.registry import Registry

PROJECT = "corpusmill"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def corpusmill_register(registry: Registry) -> None:
    """Name your operators: `registry.filter("no-emoji", "acme.emoji:NoEmoji", "Drop documents …")`.

    Called once per process that needs operators. Import nothing heavy: targets are strings and load on use.
    """


@hookspec
def corpusmill_run_started(run: dict[str, Any]) -> None:
    """A run starts. `run`: name, timestamp, folder, store, executor, stages (list of id and steps)."""


@hookspec
def corpusmill_stage_started(stage: dict[str, Any]) -> None:
    """A stage starts. `stage`: id, steps, kind, shards, cached (shards already committed)."""


@hookspec
def corpusmill_shards_committed(stage: dict[str, Any]) -> None:
    """Shards were committed, batched. `stage`: id, done, total, rows, bytes, counts."""


@hookspec
def corpusmill_metrics(stage: dict[str, Any], step: int, values: dict[str, float]) -> None:
    """A global operator reported numbers at `step` of its work."""


@hookspec
def corpusmill_stage_finished(stage: dict[str, Any]) -> None:
    """A stage is published. `stage`: id, digest, rows, seconds, counts."""


@hookspec
def corpusmill_run_finished(run: dict[str, Any]) -> None:
    """A run ends, well or not. `run`: name, folder, status (done, failed, interrupted), seconds, outputs."""
