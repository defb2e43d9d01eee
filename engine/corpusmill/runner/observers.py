"""Calls of life-cycle hooks: observers run in the driver, and what they raise is a warning, never a failure."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import pluggy


class Observers:
    """Tells every registered observer, one by one, so that one that fails does not silence the others.

    `redact`: hides secrets in what an observer raises (the password in a tracker's address, say).
    """

    def __init__(self, manager: pluggy.PluginManager, redact: Callable[[str], str] = str):
        self._manager, self._redact = manager, redact

    def run_started(self, run: Mapping[str, Any]) -> None:
        """A run starts."""
        self._tell("corpusmill_run_started", run=dict(run))

    def stage_started(self, stage: Mapping[str, Any]) -> None:
        """A stage starts."""
        self._tell("corpusmill_stage_started", stage=dict(stage))

    def shards_committed(self, stage: Mapping[str, Any]) -> None:
        """A stage came further."""
        self._tell("corpusmill_shards_committed", stage=dict(stage))

    def metrics(self, stage: Mapping[str, Any], step: int, values: Mapping[str, float]) -> None:
        """Global work reported numbers."""
        self._tell("corpusmill_metrics", stage=dict(stage), step=step, values=dict(values))

    def stage_finished(self, stage: Mapping[str, Any]) -> None:
        """A stage is published."""
        self._tell("corpusmill_stage_finished", stage=dict(stage))

    def run_finished(self, run: Mapping[str, Any]) -> None:
        """A run ends."""
        self._tell("corpusmill_run_finished", run=dict(run))

    def _tell(self, hook: str, **arguments: Any) -> None:
        for implementation in getattr(self._manager.hook, hook).get_hookimpls():
            wanted = {name: arguments[name] for name in implementation.argnames}
            try:
                implementation.function(**wanted)
            except Exception as error:
                name = _name(implementation)
                told = self._redact(f"observer {name} raised {type(error).__name__}: {error}")
                warnings.warn(told, RuntimeWarning, stacklevel=2)


def _name(implementation: Any) -> str:
    """Return the name of a plugin; an observer that was registered without one has that of its class."""
    name = str(implementation.plugin_name)
    return type(implementation.plugin).__name__ if name.isdigit() else name
