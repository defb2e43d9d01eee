"""A filter that sets an environment variable."""

from __future__ import annotations

import os
from typing import Any

import corpusmill as mill


class SetVariable(mill.Filter):
    """Keeps long texts."""

    def measure_text(self, text: str) -> dict[str, float]:
        os.environ["TOKENIZERS_PARALLELISM"] = "maybe"
        return {"length": float(len(text))}

    def rules(self) -> list[mill.Rule]:
        return [mill.at_least("length", 3)]


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.filter("set-variable", SetVariable, "Broken on purpose.")
