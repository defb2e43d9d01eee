"""A filter that uses the seed and does not say so."""

from __future__ import annotations

from typing import Any

from xxhash import xxh3_64_intdigest

import corpusmill as mill


class HiddenSeed(mill.Filter):
    """Keeps a share."""

    def measure_text(self, text: str) -> dict[str, float]:
        return {"draw": xxh3_64_intdigest(text.encode(), seed=self.seed) / 2**64}

    def rules(self) -> list[mill.Rule]:
        return [mill.at_most("draw", 0.5)]


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.filter("hidden-seed", HiddenSeed, "Broken on purpose.")
