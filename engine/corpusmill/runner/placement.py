"""What a step asks of the machine that its work lands on, and what it gets there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from corpusmill.plan.checked import CheckedStep
from corpusmill.runner.executor import Executor
from corpusmill.spec.units import format_size

BOUNDED = ("cpus", "memory")
"""What a task gets less of where there is less: asked for in full, it would wait for ever."""


@dataclass(frozen=True)
class Placement:
    """Where the work of a step runs (`cpu` or `cuda`), the resources to ask for, and what to say aloud about them."""

    device: str
    resources: dict[str, Any]
    notices: tuple[str, ...] = ()


def place(step: CheckedStep, executor: Executor) -> Placement:
    """Fit what a step asks for to what an executor has; what is not there is said, never waited for in silence."""
    resources, notices = dict(step.resources), []
    for name in BOUNDED:
        asked, there = resources.get(name) or 0, executor.most(name)
        if asked > there:
            resources[name] = there
            notices.append(f"{_told(name, asked)} asked, {_told(name, there)} there; running with that")
    gpus, there = resources.get("gpus") or 0, executor.most("gpus")
    if gpus > there:
        resources["gpus"] = 0
        notices.append(f"{gpus:g} GPU asked, {f'{there:g}' if there else 'none'} there; running on CPU")
    kind = resources.get("accelerator")
    if kind and not (resources.get("gpus") and executor.most(f"accelerator_type:{kind}")):
        del resources["accelerator"]
        notices.append(f"accelerator {kind} asked, none there; running without")
    if resources.get("workers", 1) > 1:
        notices.append(f"{resources['workers']} workers asked; it trains in one process")
    device = "cuda" if resources.get("gpus") else "cpu"
    return Placement(device, resources, tuple(f"{step.id}: {notice}" for notice in notices))


def together(every: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what one worker needs to run several steps: they take turns, so the most of each resource."""
    needs: dict[str, Any] = {}
    for resources in every:
        for name in ("cpus", "gpus", "memory"):
            if resources.get(name) is not None:
                needs[name] = max(needs.get(name, 0), resources[name])
        if resources.get("accelerator"):
            needs["accelerator"] = resources["accelerator"]
    return needs


def _told(name: str, amount: float) -> str:
    return f"{format_size(amount)} of memory" if name == "memory" else f"{amount:g} CPU"
