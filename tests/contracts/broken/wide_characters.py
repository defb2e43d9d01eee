"""A filter whose table of characters ends with the basic plane."""

from __future__ import annotations

from typing import Any

import corpusmill as mill


class WideCharacters(mill.Filter):
    """Keeps plain texts."""

    def measure_text(self, text: str) -> dict[str, float]:
        table = bytes(0xFFFF + 1)
        return {"marks": float(sum(table[ord(character)] for character in text))}

    def rules(self) -> list[mill.Rule]:
        return [mill.at_most("marks", 0)]


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.filter("wide-characters", WideCharacters, "Broken on purpose.")
