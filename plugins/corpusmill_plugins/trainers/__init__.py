"""Built-in trainers, and what a trainer of your own may build on: the names in `__all__`, loaded on first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from corpusmill_plugins.trainers.loop import Loop, Recipe
    from corpusmill_plugins.trainers.schedule import Schedule
    from corpusmill_plugins.trainers.task import Batch, Task
    from corpusmill_plugins.trainers.task_trainer import TaskTrainer

__all__ = ["Batch", "Loop", "Recipe", "Schedule", "Task", "TaskTrainer"]

_HOME = {
    "Batch": "task",
    "Loop": "loop",
    "Recipe": "loop",
    "Schedule": "schedule",
    "Task": "task",
    "TaskTrainer": "task_trainer",
}


def __getattr__(name: str) -> Any:
    """Load a public name on first use: finding the built-ins must import nothing heavy."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
