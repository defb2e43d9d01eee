"""Names of the built-in annotators."""

from __future__ import annotations

from typing import Any

from corpusmill import hookimpl


@hookimpl
def corpusmill_register(registry: Any) -> None:
    """Register this family; targets load on use."""
    registry.annotator("language", "corpusmill_plugins.annotators.language:Language", "Name each document's language.")
    registry.annotator(
        "perplexity",
        "corpusmill_plugins.annotators.perplexity:Perplexity",
        "Add a language model's perplexity of each document.",
        extra="train",
    )
