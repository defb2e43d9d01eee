"""A filter that seeds NumPy for everyone."""

from __future__ import annotations

from typing import Any

import numpy as np

import corpusmill as mill


class SeededNumpy(mill.Filter):
    """Keeps long texts."""

    def measure_text(self, text: str) -> dict[str, float]:
        np.random.seed(7)  # noqa: NPY002
        return {"length": float(len(text))}

    def rules(self) -> list[mill.Rule]:
        return [mill.at_least("length", 3)]


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.filter("seeded-numpy", SeededNumpy, "Broken on purpose.")
