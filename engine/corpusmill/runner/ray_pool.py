"""Pools of long-lived Ray actors that hold a model; shard tasks feed them and stay on CPU themselves."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import ray
from ray.exceptions import ActorDiedError, RayActorError, RayTaskError

from corpusmill.errors import CorpusmillError, ExecutorError
from corpusmill.runner.deadline import deadline
from corpusmill.runner.fatigue import memory_limit, private_memory
from corpusmill.runner.guard import PoolLost
from corpusmill.runner.ray_needs import asked, room_for
from corpusmill.runner.worker import workspace_for


@ray.remote(max_restarts=-1, max_task_retries=2)
class ModelActor:
    """Builds an operator once and answers batches. A batch that an actor dies with is sent again, twice.

    An actor whose operator leaks, past the model and a worker's memory, makes room for a fresh one before it answers.
    """

    def __init__(self, settings: Mapping[str, Any], recipe: Mapping[str, Any]):
        self._operator: Any = None
        self._broken: CorpusmillError | None = None
        try:
            self._operator = workspace_for(settings).operator(recipe)
        except CorpusmillError as error:
            # Raised here it would come back as Ray's words on an actor that died.
            self._broken = error
        self._limit = private_memory() + memory_limit(settings)

    def annotate(self, batch: pa.RecordBatch, seconds: float | None) -> dict[str, pa.Array]:
        """Return the operator's columns for a batch; an actor that is overdue after so many seconds is ended."""
        if self._broken is not None:
            raise self._broken
        if private_memory() > self._limit:
            os._exit(0)
        with deadline(seconds):
            return dict(self._operator.annotate(batch))


class RayPool:
    """A pool as the workers see it: batches go round the actors, starting anywhere."""

    def __init__(self, actors: list[Any]):
        self.actors = actors
        self._next = 0

    def annotate(self, batch: pa.RecordBatch, deadline: float | None) -> Mapping[str, pa.Array]:
        """Send a batch to the next actor and wait; results do not depend on which actor it is.

        Raises PoolLost when the batch's actors died each time (of it, or with it), what the operator raised, and
        ExecutorError for a pool that is gone for good.
        """
        actor = self.actors[(self._next + os.getpid()) % len(self.actors)]
        self._next += 1
        try:
            columns: Mapping[str, pa.Array] = ray.get(actor.annotate.remote(batch, deadline))
        except RayTaskError as error:
            raise error.cause if isinstance(error.cause, Exception) else error from None
        except ActorDiedError as error:
            raise ExecutorError(
                f"a model's actor cannot be started: {str(error).strip()}",
                expected="a model that loads, in memory that is there",
                hint="check the model and the memory (`resources: {actors: …}` says how many copies there are)",
            ) from error
        except RayActorError as error:
            raise PoolLost("lost the actors of its model") from error
        return columns


def start_actors(
    settings: Mapping[str, Any], recipe: Mapping[str, Any], resources: Mapping[str, Any], workers: int
) -> list[Any]:
    """Start the actors of one step: as many as `resources.actors` says, on CPU or GPU."""
    count = resources.get("actors", 1)
    count = max(1, min(int(count[-1] if isinstance(count, (list, tuple)) else count), max(1, workers)))
    if resources.get("gpus"):
        count = max(1, min(count, room_for(resources["gpus"])))
    # No CPU of their own: shard tasks wait for them inside `ray.get`, which lends theirs. Actors that had taken all
    # CPUs would wait for tasks that none is left for.
    options = asked({**resources, "cpus": 0})
    actor: Any = ModelActor
    return [actor.options(**options).remote(settings, recipe) for _ in range(count)]
