"""A filter whose options are no pydantic model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import corpusmill as mill


class PlainOptions(mill.Filter):
    """Keeps long texts."""

    @dataclass
    class Options:
        """One option."""

        least: float = 3.0

    def measure_text(self, text: str) -> dict[str, float]:
        return {"length": float(len(text))}

    def rules(self) -> list[mill.Rule]:
        return [mill.at_least("length", self.options.least)]


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.filter("plain-options", PlainOptions, "Broken on purpose.")
