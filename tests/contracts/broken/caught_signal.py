"""A filter that takes a signal for itself."""

from __future__ import annotations

import signal
from typing import Any

import corpusmill as mill


class CaughtSignal(mill.Filter):
    """Keeps long texts."""

    def measure_text(self, text: str) -> dict[str, float]:
        signal.signal(signal.SIGUSR2, signal.SIG_IGN)
        return {"length": float(len(text))}

    def rules(self) -> list[mill.Rule]:
        return [mill.at_least("length", 3)]


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.filter("caught-signal", CaughtSignal, "Broken on purpose.")
