"""Shapes of models trained from scratch."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import model_validator

from corpusmill import Options, option
from corpusmill_plugins.trainers.backbone import quiet_transformers

VOCABULARY_MULTIPLE = 64
"""Vocabularies are padded to this multiple, which matrix units like."""


class Architecture(Options):
    """A decoder: how wide, how deep."""

    type: Literal["llama", "gpt2"] = option("llama", help="family of the model")
    layers: int = option(4, ge=1, help="blocks", unit="blocks")
    hidden: int = option(192, ge=8, help="width of the residual stream", unit="numbers")
    heads: int = option(6, ge=1, help="attention heads", unit="heads")
    kv_heads: int | None = option(None, ge=1, help="key and value heads (llama); default: heads", unit="heads")
    intermediate: int | None = option(
        None, ge=8, help="width inside the MLP; default: 8/3 (llama) or 4 (gpt2) x hidden", unit="numbers"
    )
    dropout: float = option(0.0, ge=0, lt=1, help="dropout; of attention weights only in llama", unit="share")
    tie_embeddings: bool = option(True, help="use the input embedding as output layer")

    @model_validator(mode="after")
    def _check(self) -> Architecture:
        if self.hidden % (2 * self.heads):
            raise ValueError(f"expected hidden to be a multiple of 2 x heads, not {self.hidden} and {self.heads}")
        if self.kv_heads is not None and self.heads % self.kv_heads:
            raise ValueError(f"expected heads to be a multiple of kv_heads, not {self.heads} and {self.kv_heads}")
        return self


def build(shape: Architecture, vocabulary: int, window: int, special: dict[str, int], seed: int) -> Any:
    """Return a float32 transformers model with fresh weights, a pure function of its arguments.

    `vocabulary` is padded up to a multiple of 64; `special`: `eos_token_id` and the like.
    """
    import torch

    padded = -(-vocabulary // VOCABULARY_MULTIPLE) * VOCABULARY_MULTIPLE
    ids = {name: special.get(name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    common = {"vocab_size": padded, "use_cache": False, "tie_word_embeddings": shape.tie_embeddings, **ids}
    config = _llama(shape, window, common) if shape.type == "llama" else _gpt2(shape, window, common)
    torch.manual_seed(seed)
    automatic = quiet_transformers().AutoModelForCausalLM
    return automatic.from_config(config, dtype=torch.float32, attn_implementation="sdpa")


def _llama(shape: Architecture, window: int, common: dict[str, Any]) -> Any:
    from transformers import LlamaConfig

    return LlamaConfig(
        hidden_size=shape.hidden,
        intermediate_size=shape.intermediate or -(-shape.hidden * 8 // 3 // 64) * 64,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads or shape.heads,
        max_position_embeddings=window,
        attention_dropout=shape.dropout,
        **common,
    )


def _gpt2(shape: Architecture, window: int, common: dict[str, Any]) -> Any:
    from transformers import GPT2Config

    return GPT2Config(
        n_embd=shape.hidden,
        n_inner=shape.intermediate or 4 * shape.hidden,
        n_layer=shape.layers,
        n_head=shape.heads,
        n_positions=window,
        resid_pdrop=shape.dropout,
        embd_pdrop=shape.dropout,
        attn_pdrop=shape.dropout,
        **common,
    )
