"""Names of the built-in tokenizer trainers and packers."""

from __future__ import annotations

from typing import Any

from corpusmill import hookimpl


@hookimpl
def corpusmill_register(registry: Any) -> None:
    """Register this family; targets load on use."""
    home = "corpusmill_plugins.tokenizers"
    registry.tokenizer("bpe", f"{home}.bpe:BytePairEncoding", "Train a byte-level BPE tokenizer on the text.")
    registry.packer("pack", f"{home}.packing:ConcatenateAndCut", "Join documents and cut them into windows.")
