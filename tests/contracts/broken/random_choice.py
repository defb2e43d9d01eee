"""A filter that draws a random number for each document."""

from __future__ import annotations

import random
from typing import Any

import corpusmill as mill


class RandomChoice(mill.Filter):
    """Keeps a random half."""

    def measure_text(self, text: str) -> dict[str, float]:
        return {"luck": random.random()}

    def rules(self) -> list[mill.Rule]:
        return [mill.at_least("luck", 0.5)]


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.filter("random-choice", RandomChoice, "Broken on purpose.")
