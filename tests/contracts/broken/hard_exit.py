"""A filter that ends its process."""

from __future__ import annotations

import os
from typing import Any

import corpusmill as mill


class HardExit(mill.Filter):
    """Keeps long texts."""

    def measure_text(self, text: str) -> dict[str, float]:
        if "river" in text:
            os._exit(3)
        return {"length": float(len(text))}

    def rules(self) -> list[mill.Rule]:
        return [mill.at_least("length", 3)]


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.filter("hard-exit", HardExit, "Broken on purpose.")
