"""Names of the built-in augmenters."""

from __future__ import annotations

from typing import Any

from corpusmill import hookimpl


@hookimpl
def corpusmill_register(registry: Any) -> None:
    """Register this family; targets load on use."""
    registry.augmenter(
        "synonyms", "corpusmill_plugins.augmenters.synonyms:Synonyms", "Add copies with some words replaced."
    )
