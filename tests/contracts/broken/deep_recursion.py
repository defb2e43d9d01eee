"""A filter that raises the recursion limit."""

from __future__ import annotations

import sys
from typing import Any

import corpusmill as mill


class DeepRecursion(mill.Filter):
    """Keeps long texts."""

    def measure_text(self, text: str) -> dict[str, float]:
        sys.setrecursionlimit(54_321)
        return {"length": float(len(text))}

    def rules(self) -> list[mill.Rule]:
        return [mill.at_least("length", 3)]


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.filter("deep-recursion", DeepRecursion, "Broken on purpose.")
