"""A filter that writes a text's length into two bytes."""

from __future__ import annotations

import struct
from typing import Any

import corpusmill as mill


class ShortLength(mill.Filter):
    """Keeps texts of some length."""

    def measure_text(self, text: str) -> dict[str, float]:
        return {"length": float(struct.unpack("<H", struct.pack("<H", len(text)))[0])}

    def rules(self) -> list[mill.Rule]:
        return [mill.at_least("length", 3)]


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.filter("short-length", ShortLength, "Broken on purpose.")
