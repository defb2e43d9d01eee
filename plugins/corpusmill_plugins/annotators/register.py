"""Names of the built-in annotators."""

from __future__ import annotations

from typing import Any

from corpusmill import hookimpl


@hookimpl
def corpusmill_register(registry: Any) -> None:
    """Register this family; targets load on use."""
    registry.annotator("language", "corpusmill_plugins.annotators.language:Language", "Name each document's language.")
