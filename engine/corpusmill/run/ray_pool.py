"""Pools of long-lived Ray actors that hold a model; shard tasks feed them and stay on CPU themselves."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import ray

from corpusmill.run.worker import workspace_for


@ray.remote(max_restarts=2, max_task_retries=2)
class ModelActor:
    """Builds an operator once and answers batches."""

    def __init__(self, settings: Mapping[str, Any], recipe: Mapping[str, Any]):
        self._operator = workspace_for(settings).operator(recipe)

    def annotate(self, batch: pa.RecordBatch) -> dict[str, pa.Array]:
        """Return the operator's columns for a batch."""
        return dict(self._operator.annotate(batch))


class RayPool:
    """A pool as the workers see it: batches go round the actors, starting anywhere."""

    def __init__(self, actors: list[Any]):
        self.actors = actors
        self._next = 0

    def annotate(self, batch: pa.RecordBatch) -> Mapping[str, pa.Array]:
        """Send a batch to the next actor and wait; results do not depend on which actor it is."""
        actor = self.actors[(self._next + os.getpid()) % len(self.actors)]
        self._next += 1
        columns: Mapping[str, pa.Array] = ray.get(actor.annotate.remote(batch))
        return columns


def start_actors(
    settings: Mapping[str, Any], recipe: Mapping[str, Any], resources: Mapping[str, Any], workers: int
) -> list[Any]:
    """Start the actors of one step: as many as `resources.actors` says, on CPU or GPU."""
    count = resources.get("actors", 1)
    count = max(1, min(int(count[-1] if isinstance(count, (list, tuple)) else count), max(1, workers)))
    gpus = resources.get("gpus", 0)
    # Actors ask for no CPU of their own by default: shard tasks wait for them inside `ray.get`, which lends theirs.
    options: dict[str, Any] = {"num_cpus": 0 if not gpus else resources.get("cpus", 1)}
    if gpus:
        options["num_gpus"] = gpus
    return [ModelActor.options(**options).remote(settings, recipe) for _ in range(count)]
