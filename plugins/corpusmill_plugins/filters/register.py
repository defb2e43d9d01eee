"""Names of the built-in filters."""

from __future__ import annotations

from typing import Any

from corpusmill import hookimpl


@hookimpl
def corpusmill_register(registry: Any) -> None:
    """Register this family; targets load on use."""
    registry.filter("length", "corpusmill_plugins.filters.length:Length", "Keep documents of a certain length.")
    registry.filter("where", "corpusmill_plugins.filters.where:Where", "Keep documents by the values of their columns.")
