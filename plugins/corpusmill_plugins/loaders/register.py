"""Names of the built-in loaders."""

from __future__ import annotations

from typing import Any

from corpusmill import hookimpl


@hookimpl
def corpusmill_register(registry: Any) -> None:
    """Register this family; targets load on use."""
    home = "corpusmill_plugins.loaders"
    registry.loader("tokenizer", f"{home}.tokenizer:LoadTokenizer", "Take a tokenizer.json from a file or folder.")
    registry.loader(
        "model", f"{home}.model:LoadModel", "Take a transformers model from a folder of safetensors.", extra="train"
    )
