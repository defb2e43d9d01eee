"""A filter that sets the locale."""

from __future__ import annotations

import locale
from typing import Any

import corpusmill as mill


class SetLocale(mill.Filter):
    """Keeps long texts."""

    def measure_text(self, text: str) -> dict[str, float]:
        locale.setlocale(locale.LC_ALL, "C" if locale.setlocale(locale.LC_CTYPE) != "C" else "C.UTF-8")
        return {"length": float(len(text))}

    def rules(self) -> list[mill.Rule]:
        return [mill.at_least("length", 3)]


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.filter("set-locale", SetLocale, "Broken on purpose.")
