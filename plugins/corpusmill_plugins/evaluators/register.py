"""Names of the built-in evaluators."""

from __future__ import annotations

from typing import Any

from corpusmill import hookimpl


@hookimpl
def corpusmill_register(registry: Any) -> None:
    """Register this family; targets load on use."""
    home = "corpusmill_plugins.evaluators"
    registry.evaluator(
        "perplexity", f"{home}.perplexity:Perplexity", "Measure how well a model predicts tokens.", extra="train"
    )
    registry.evaluator(
        "classification", f"{home}.classification:Classification", "Score a classifier on labelled text.", extra="train"
    )
