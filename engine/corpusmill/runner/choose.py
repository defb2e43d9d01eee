"""Which executor a run takes, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corpusmill.errors import UsageError, nearest
from corpusmill.plan.checked import CheckedSpec
from corpusmill.plan.stages import Stage
from corpusmill.runner.executor import Executor
from corpusmill.runner.files import find_files
from corpusmill.runner.inline import DirectExecutor, InlineExecutor

if TYPE_CHECKING:
    from corpusmill.runner.driver import RunOptions

INLINE_BYTES = 1_000_000_000
"""Below this much input inline wins on two cores: Ray costs about 7 s and 500 MB before any work."""
EXECUTORS = ("auto", "inline", "ray")


def choose_executor(
    checked: CheckedSpec,
    stages: Sequence[Stage],
    options: RunOptions,
    settings: Mapping[str, Any],
    record: Path | None = None,
) -> Executor:
    """Return the executor that was asked for, or the one that fits the input.

    `record`: where a local Ray cluster notes its processes, so that none outlives a driver that is killed.
    """
    if options.debug:
        return DirectExecutor(settings)
    asked = options.executor or checked.spec.run.executor
    if asked not in EXECUTORS:
        close = nearest(asked, EXECUTORS)
        raise UsageError(
            f"unknown executor {asked!r}",
            expected=", ".join(EXECUTORS),
            hint=f"did you mean {close!r}?" if close else "--executor auto",
        )
    run = checked.spec.run
    address = options.address or run.address
    if asked == "auto":
        asked = "ray" if address or _wants_ray(checked, stages) else "inline"
    if asked == "inline":
        return InlineExecutor(settings, fork=options.fork)
    from corpusmill.runner.ray_executor import RayExecutor

    workers = options.workers or run.workers
    return RayExecutor(settings, workers=workers, address=address, in_flight=run.in_flight, record=record)


def _wants_ray(checked: CheckedSpec, stages: Sequence[Stage]) -> bool:
    if any(step.resources.get("gpus") for stage in stages for step in stage.steps):
        return True
    total = 0
    for stage in stages:
        if stage.reads_files:
            paths = stage.steps[0].options.model_dump()["paths"]
            total += sum(file.size for file in find_files(paths, checked.spec.base))
    return total > INLINE_BYTES
