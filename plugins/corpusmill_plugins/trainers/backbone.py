"""Models in and out: transformers folders of this machine, fp32, safetensors only."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from corpusmill import CorpusmillError
from corpusmill_plugins.kernels.environment import OFFLINE, environment

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "spiece.model",
    "tokenizer.model",
    "sentencepiece.bpe.model",
)


def quiet_transformers() -> Any:
    """Return transformers, offline and without bars and load reports of its own: the engine shows progress."""
    with environment(OFFLINE):
        import transformers

    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    return transformers


def load(auto_class: str, folder: Path, **settings: Any) -> Any:
    """Return the model of a folder in float32 (the default dtype would be the checkpoint's, and AdamW's with it)."""
    import torch

    loader = getattr(quiet_transformers(), auto_class)
    return loader.from_pretrained(
        str(folder), dtype=torch.float32, local_files_only=True, use_safetensors=True, **settings
    )


def load_tokenizer(folder: Path) -> Any:
    """Return the tokenizer of a folder; text that spells a special token stays text."""
    loader = quiet_transformers().AutoTokenizer
    return loader.from_pretrained(str(folder), local_files_only=True, split_special_tokens=True)


def special_ids(folder: Path) -> dict[str, int]:
    """Return the ids of `eos`, `bos` and `pad` that a tokenizer folder names, as `<name>_token_id`."""
    from tokenizers import Tokenizer

    config = folder / "tokenizer_config.json"
    named = json.loads(config.read_bytes()) if config.is_file() else {}
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    found = {}
    for name in ("eos", "bos", "pad"):
        token = named.get(f"{name}_token")
        token = token.get("content") if isinstance(token, dict) else token
        number = tokenizer.token_to_id(token) if token else None
        if number is not None:
            found[f"{name}_token_id"] = number
    return found


def require_same_tokenizer(model: Path, tokenizer: Path) -> None:
    """Raise CorpusmillError where a model was made for another vocabulary than the tokens it is given."""
    from tokenizers import Tokenizer

    left, right = model / "tokenizer.json", tokenizer / "tokenizer.json"
    if not left.is_file() or left.read_bytes() == right.read_bytes():
        return
    if Tokenizer.from_file(str(left)).get_vocab() != Tokenizer.from_file(str(right)).get_vocab():
        raise CorpusmillError(
            "the model and the tokens have different tokenizers",
            where=str(left),
            expected="tokens made with the tokenizer of this model",
            hint="give tokens.pack the model's own: needs: {documents: …, tokenizer: MODEL.tokenizer}",
        )


def padding(model: Any, tokenizer: Any) -> int:
    """Return the id that fills short texts, and tell it to the model.

    Decoders find a text's last token by this id; without one they refuse batches.
    """
    known = (tokenizer.pad_token_id, model.config.pad_token_id, tokenizer.eos_token_id, 0)
    model.config.pad_token_id = next(number for number in known if number is not None)
    return int(model.config.pad_token_id)


def room(model: Any, wanted: int) -> int:
    """Return the tokens of a text that are used: those wanted, or fewer where the model has fewer positions."""
    return min(wanted, getattr(model.config, "max_position_embeddings", None) or wanted)


def save(model: Any, tokenizer: Path, output: Path, facts: dict[str, Any]) -> None:
    """Write a folder that `from_pretrained` loads: weights, configuration, tokenizer, and `corpusmill.json`.

    `facts`: what the model was made from (digests, options); no time, no path.
    """
    model.save_pretrained(str(output))
    for name in TOKENIZER_FILES:
        if (tokenizer / name).is_file():
            shutil.copyfile(tokenizer / name, output / name)
    (output / "corpusmill.json").write_text(json.dumps(facts, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def recorded(options: Any) -> dict[str, Any]:
    """Return the options that can change the result, as JSON; the others must not change an artifact's bytes."""
    fields = type(options).model_fields
    silent = {name for name, field in fields.items() if (field.json_schema_extra or {}).get("affects_result") is False}
    values: dict[str, Any] = options.model_dump(mode="json", exclude=silent)
    return values
