"""A filter that makes a lock when it is built, which cannot travel."""

from __future__ import annotations

import threading
from typing import Any

import corpusmill as mill


class HeldLock(mill.Filter):
    """Keeps long texts."""

    def __init__(self, *arguments: Any, **named: Any):
        super().__init__(*arguments, **named)
        self.lock = threading.Lock()

    def measure_text(self, text: str) -> dict[str, float]:
        with self.lock:
            return {"length": float(len(text))}

    def rules(self) -> list[mill.Rule]:
        return [mill.at_least("length", 3)]


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.filter("held-lock", HeldLock, "Broken on purpose.")
