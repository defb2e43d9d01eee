"""A filter that prints what it sees."""

from __future__ import annotations

import sys
from typing import Any

import corpusmill as mill


class Chatter(mill.Filter):
    """Keeps long texts."""

    def measure_text(self, text: str) -> dict[str, float]:
        sys.stdout.write(f"looking at {len(text)} characters\n")
        return {"length": float(len(text))}

    def rules(self) -> list[mill.Rule]:
        return [mill.at_least("length", 3)]


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.filter("chatter", Chatter, "Broken on purpose.")
