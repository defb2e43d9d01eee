"""A filter that divides by the number of capital letters."""

from __future__ import annotations

from typing import Any

import corpusmill as mill


class OrdinaryError(mill.Filter):
    """Keeps quiet texts."""

    def measure_text(self, text: str) -> dict[str, float]:
        return {"share": len(text) / sum(character.isupper() for character in text)}

    def rules(self) -> list[mill.Rule]:
        return [mill.at_most("share", 10)]


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.filter("ordinary-error", OrdinaryError, "Broken on purpose.")
