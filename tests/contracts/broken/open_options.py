"""A filter whose options take any key."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict

import corpusmill as mill


class OpenOptions(mill.Filter):
    """Keeps long texts."""

    class Options(mill.Filter.Options):
        """One option."""

        model_config = ConfigDict(extra="allow")
        least: float = mill.option(3.0, help="shortest text that stays", unit="characters")

    def measure_text(self, text: str) -> dict[str, float]:
        return {"length": float(len(text))}

    def rules(self) -> list[mill.Rule]:
        return [mill.at_least("length", self.options.least)]


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.filter("open-options", OpenOptions, "Broken on purpose.")
