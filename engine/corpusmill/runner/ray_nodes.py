"""Whether all nodes of a Ray cluster see the store: one that does not would keep its work to itself, and lose it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from corpusmill.dataset.storage import open_storage
from corpusmill.errors import ExecutorError

_PATIENCE = 60.0
"""Seconds for a node to answer; one that does not in time is not accused of anything."""


def expect_shared(settings: Mapping[str, Any]) -> None:
    """Raise ExecutorError when a node that may get work does not see the store's folder; an object store is seen."""
    storage = open_storage(settings["store"])
    nodes = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
    if storage.remote or len(nodes) < 2:
        return
    mark = storage.scratch() / f".seen-{uuid.uuid4().hex}"
    mark.touch()
    try:
        blind = [node for node, sees in zip(nodes, _asked(nodes, mark), strict=True) if not sees]
    finally:
        mark.unlink(missing_ok=True)
    if blind:
        raise ExecutorError(
            f"{len(blind)} of {len(nodes)} nodes do not see the store",
            where=f"{storage.uri}, on {', '.join(sorted({str(node['NodeManagerAddress']) for node in blind}))}",
            expected="a folder that all nodes share: what a node keeps to itself is lost with it",
            hint="--store on a file system that is mounted at the same path on every node",
        )


def _asked(nodes: list[Any], mark: Path) -> list[bool]:
    """Ask each node whether the mark is there; a node that is lost meanwhile, or busy, counts as seeing."""
    # No CPU: a node whose CPUs another run holds answers, too.
    ask = ray.remote(num_cpus=0, max_retries=0)(sees)
    answers = [
        ask.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)).remote(str(mark))
        for node in nodes
    ]
    ready, late = ray.wait(answers, num_returns=len(answers), timeout=_PATIENCE)
    for reference in late:
        ray.cancel(reference)
    return [_answer(one) if one in ready else True for one in answers]


def _answer(reference: Any) -> bool:
    try:
        return bool(ray.get(reference))
    except ray.exceptions.RayError:
        return True


def sees(path: str) -> bool:
    """Say, on the node where it runs, whether a file is there."""
    return Path(path).is_file()
