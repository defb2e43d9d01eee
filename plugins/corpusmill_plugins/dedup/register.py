"""Names of the built-in dedup."""

from __future__ import annotations

from typing import Any

from corpusmill import hookimpl


@hookimpl
def corpusmill_register(registry: Any) -> None:
    """Register this family; targets load on use."""
    registry.dedup(
        "exact", "corpusmill_plugins.dedup.exact:ExactDuplicates", "Keep one of the documents with the same text."
    )
    registry.dedup(
        "minhash",
        "corpusmill_plugins.dedup.minhash:MinHashDuplicates",
        "Keep one of the documents whose word n-grams are mostly the same.",
    )
    registry.dedup(
        "segments",
        "corpusmill_plugins.dedup.segments:SegmentDuplicates",
        "Cut lines, paragraphs or sentences that occurred before out of the documents.",
    )
