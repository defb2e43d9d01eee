"""Names of the built-in cleaners."""

from __future__ import annotations

from typing import Any

from corpusmill import hookimpl


@hookimpl
def corpusmill_register(registry: Any) -> None:
    """Register this family; targets load on use."""
    registry.cleaner("html", "corpusmill_plugins.cleaners.html:Html", "Extract the text of web pages.", extra="web")
    registry.cleaner("unicode", "corpusmill_plugins.cleaners.unicode:Unicode", "Bring text into one Unicode form.")
