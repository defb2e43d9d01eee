"""A filter with an option that nothing explains."""

from __future__ import annotations

from typing import Any

import corpusmill as mill


class SilentOption(mill.Filter):
    """Keeps long texts."""

    class Options(mill.Filter.Options):
        """One option."""

        least: float = 3.0

    def measure_text(self, text: str) -> dict[str, float]:
        return {"length": float(len(text))}

    def rules(self) -> list[mill.Rule]:
        return [mill.at_least("length", self.options.least)]


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.filter("silent-option", SilentOption, "Broken on purpose.")
