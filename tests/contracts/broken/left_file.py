"""A filter that leaves a file in the working directory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import corpusmill as mill


class LeftFile(mill.Filter):
    """Keeps long texts."""

    def measure_text(self, text: str) -> dict[str, float]:
        Path("filter.log").write_text(str(len(text)))
        return {"length": float(len(text))}

    def rules(self) -> list[mill.Rule]:
        return [mill.at_least("length", 3)]


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.filter("left-file", LeftFile, "Broken on purpose.")
