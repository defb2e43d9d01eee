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
    `corpusmill_api = 1` beside it says which version of the interface (`corpusmill.API`) the plugin is written for;
    without that line it is 1. A plugin for another version is refused with both numbers.
    """


@hookspec
def corpusmill_run_started(run: dict[str, Any]) -> None:
    """A run starts.

    `run`: name, timestamp, folder (the run's own), store, executor, spec (the file as the user named it), and
    stages: a list of {id, kind, steps (list of step ids)} in running order.
    """


@hookspec
def corpusmill_stage_started(stage: dict[str, Any]) -> None:
    """A stage starts; also told for a stage that is wholly cached, before its `stage_finished`.

    `stage`: id, steps (list of step ids), kind (`pass`, or the kind of the global operator: dedup, tokenizer,
    tokens, train, …), total (shards or units, 0 when not known yet), cached (how many of them were committed before),
    notices (list of sentences: what its steps asked for and do not get, a GPU, say).
    """


@hookspec
def corpusmill_shards_committed(stage: dict[str, Any]) -> None:
    """A stage came further; batched, so one call may stand for many shards.

    `stage`: id, done (shards or units complete, cached ones included), total. For passes also what this run
    itself did in this stage so far, cached shards left out: rows (documents), bytes, seconds (since the stage
    started), running (shards at work now). Global work (`work.progress`) tells id, done, total.
    """


@hookspec
def corpusmill_metrics(stage: dict[str, Any], step: int, values: dict[str, float]) -> None:
    """A global operator reported numbers at `step` of its work. `stage`: id, steps, kind."""


@hookspec
def corpusmill_stage_finished(stage: dict[str, Any]) -> None:
    """A stage is published.

    `stage`: id, steps, kind, digest, rows (None where rows mean nothing), seconds, and counts: step id -> {uses,
    in, out, added, removed (reason -> rows), quarantined (reason -> rows), changed, seconds}.
    """


@hookspec
def corpusmill_run_finished(run: dict[str, Any]) -> None:
    """A run ends, well or not.

    `run`: what `outputs.json` holds, and folder: name, status (done, failed, interrupted), started (ISO, UTC),
    seconds, executor, error (the message, only where it failed), outputs (step id -> {kind, digest, path, rows,
    splits, values, summary}), counts (as in `stage_finished`, all steps), damaged (list of {step, file, reason,
    offset}), quarantine (records), ledger (list of {step, path}).
    """
