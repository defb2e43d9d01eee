"""Names of the built-in trainers."""

from __future__ import annotations

from typing import Any

from corpusmill import hookimpl


@hookimpl
def corpusmill_register(registry: Any) -> None:
    """Register this family; targets load on use."""
    home = "corpusmill_plugins.trainers"
    registry.trainer(
        "causal-lm", f"{home}.causal_lm:CausalLanguageModel", "Train a model to predict the next token.", extra="train"
    )
    registry.trainer(
        "classify", f"{home}.classify:Classify", "Fine-tune a model with a new head to name a class.", extra="train"
    )
