"""A filter with an option for speed that changes the result."""

from __future__ import annotations

from typing import Any

import corpusmill as mill


class SilentChange(mill.Filter):
    """Keeps long texts."""

    class Options(mill.Filter.Options):
        """One option."""

        prefix: int = mill.option(100, ge=1, help="characters to look at", unit="characters", affects_result=False)

    def measure_text(self, text: str) -> dict[str, float]:
        return {"words": float(len(text[: self.options.prefix].split()))}

    def rules(self) -> list[mill.Rule]:
        return [mill.at_least("words", 3)]


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.filter("silent-change", SilentChange, "Broken on purpose.")
