"""A filter that leaves a thread behind."""

from __future__ import annotations

import threading
from typing import Any

import corpusmill as mill


class LeftThread(mill.Filter):
    """Keeps long texts."""

    def measure_text(self, text: str) -> dict[str, float]:
        threading.Thread(target=threading.Event().wait, args=(60,), name="lingers", daemon=True).start()
        return {"length": float(len(text))}

    def rules(self) -> list[mill.Rule]:
        return [mill.at_least("length", 3)]


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.filter("left-thread", LeftThread, "Broken on purpose.")
