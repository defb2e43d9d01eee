"""Names of the built-in filters."""

from __future__ import annotations

from typing import Any

from corpusmill import hookimpl


@hookimpl
def corpusmill_register(registry: Any) -> None:
    """Register this family; targets load on use."""
    registry.filter("length", "corpusmill_plugins.filters.length:Length", "Keep documents of a certain length.")
    registry.filter("where", "corpusmill_plugins.filters.where:Where", "Keep documents by the values of their columns.")
    registry.filter(
        "gopher-quality",
        "corpusmill_plugins.filters.gopher_quality:GopherQuality",
        "Drop documents that do not read like prose, by Gopher's quality rules.",
    )
    registry.filter(
        "gopher-repetition",
        "corpusmill_plugins.filters.gopher_repetition:GopherRepetition",
        "Drop documents that repeat themselves, by Gopher's repetition rules.",
    )
