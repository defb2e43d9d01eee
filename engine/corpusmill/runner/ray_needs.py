"""What units and actors ask of Ray, in its words, and what its nodes have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ray

_RESOURCES = {"cpus": "CPU", "gpus": "GPU"}
_OPTIONS = {"cpus": "num_cpus", "gpus": "num_gpus", "memory": "memory", "accelerator": "accelerator_type"}


def asked(resources: Mapping[str, Any]) -> dict[str, Any]:
    """Return Ray's options for a task or an actor of a step with these resources."""
    options = {ours: resources[name] for name, ours in _OPTIONS.items() if resources.get(name)}
    return {"num_cpus": resources.get("cpus", 1)} | options


def most_of(resource: str) -> float:
    """Return how much of a resource the node has that has most: no task or actor spans two."""
    return max([0.0, *(node.get(_RESOURCES.get(resource, resource), 0.0) for node in _nodes())])


def room_for(gpus: float) -> int:
    """Return how many actors with so many GPUs each the nodes have room for."""
    return sum(int(node.get("GPU", 0.0) // gpus) for node in _nodes())


def _nodes() -> list[Mapping[str, float]]:
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]
