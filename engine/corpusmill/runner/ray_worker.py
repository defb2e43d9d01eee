"""What a Ray worker does with a unit, and how one that has had enough ends after it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import ray

from corpusmill.runner.unit import Done, Outcome
from corpusmill.runner.worker import run_in_worker

NEVER = 1 << 30
"""Ray ends a worker after so many calls of one function: more than there will ever be."""


def run_on_ray(kind: str, key: str, payload: Mapping[str, Any], settings: Mapping[str, Any], handles: Any) -> Outcome:
    """Run one unit; a worker that it leaves weary ends when Ray has the outcome, and Ray starts another.

    As a task with `max_calls=NEVER`: see `_retire`.
    """
    outcome = run_in_worker(kind, key, payload, settings, handles)
    if isinstance(outcome, Done) and outcome.weary:
        _retire()
    return outcome


def _retire() -> None:
    """Make this call the last of this worker.

    `max_calls` ends a worker in order, after its outcome is stored; there is no public way to say so from within. A
    Ray without this counter keeps its workers.
    """
    manager: Any = getattr(ray._private.worker.global_worker, "function_actor_manager", None)
    if hasattr(manager, "_num_task_executions"):
        manager._num_task_executions = defaultdict(lambda: NEVER - 1)
