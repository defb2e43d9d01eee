"""A filter that goes to another folder."""

from __future__ import annotations

import os
import tempfile
from typing import Any

import corpusmill as mill


class ChangedFolder(mill.Filter):
    """Keeps long texts."""

    def measure_text(self, text: str) -> dict[str, float]:
        os.chdir(tempfile.gettempdir())
        return {"length": float(len(text))}

    def rules(self) -> list[mill.Rule]:
        return [mill.at_least("length", 3)]


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.filter("changed-folder", ChangedFolder, "Broken on purpose.")
