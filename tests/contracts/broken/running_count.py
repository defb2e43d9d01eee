"""A filter that drops the texts it has seen before, in whatever batch."""

from __future__ import annotations

from typing import Any

import corpusmill as mill


class RunningCount(mill.Filter):
    """Drops repeated texts."""

    def setup(self) -> None:
        self.seen: set[str] = set()

    def measure_text(self, text: str) -> dict[str, float]:
        again = text in self.seen
        self.seen.add(text)
        return {"again": float(again)}

    def rules(self) -> list[mill.Rule]:
        return [mill.at_most("again", 0)]


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.filter("running-count", RunningCount, "Broken on purpose.")
