"""A filter with a rule on a signal that it does not measure."""

from __future__ import annotations

from typing import Any

import corpusmill as mill


class UnknownSignal(mill.Filter):
    """Keeps long texts."""

    def measure_text(self, text: str) -> dict[str, float]:
        return {"length": float(len(text))}

    def rules(self) -> list[mill.Rule]:
        return [mill.at_least("words", 3)]


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.filter("unknown-signal", UnknownSignal, "Broken on purpose.")
