"""Loading a tokenizer that was made elsewhere."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from corpusmill import InputError, Loader, option
from corpusmill_plugins.loaders.local_path import resolve

END = "<|endoftext|>"
BESIDE = ("tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja")


class LoadTokenizer(Loader):
    """Take a `tokenizer.json` (Hugging Face tokenizers) from a file or a folder, after checking that it loads."""

    version = 1
    output = "tokenizer"

    class Options(Loader.Options):
        """Where the tokenizer is."""

        path: str = option(help="a tokenizer.json, or a folder that has one; relative to the spec")

    def sources(self) -> tuple[str, ...]:
        """The path whose content is loaded."""
        return (self.options.path,)

    def run(self, inputs: Any, work: Any) -> dict[str, Any]:
        """Check the tokenizer and copy it with the files that name its special tokens."""
        place = resolve(self.options.path, self.context.base)
        source = place / "tokenizer.json" if place.is_dir() else place
        size = check_tokenizer(source)
        shutil.copyfile(source, work.output / "tokenizer.json")
        for name in BESIDE:
            if place.is_dir() and (place / name).is_file():
                shutil.copyfile(place / name, work.output / name)
        if not (work.output / "tokenizer_config.json").exists():
            _write_config(source, work.output)
        return {"size": size}


def check_tokenizer(source: Path) -> int:
    """Return the size of the vocabulary; raises InputError if the file is not a tokenizer that works."""
    from tokenizers import Tokenizer

    expected = "a tokenizer.json as saved by Hugging Face tokenizers or by `tokenizer.bpe`"
    if not source.is_file():
        raise InputError(f"no {source.name!r} in {str(source.parent)!r}", where=str(source), expected=expected)
    try:
        tokenizer = Tokenizer.from_file(str(source))
        size = tokenizer.get_vocab_size(with_added_tokens=True)
        tokenizer.encode("a 中")
    except Exception as cause:  # the library raises bare Exception for every fault in the file
        raise InputError(f"not a tokenizer: {cause}", where=str(source), expected=expected) from cause
    return int(size)


def _write_config(source: Path, folder: Path) -> None:
    """Say what `transformers` needs to know of a bare tokenizer.json: its class and, if it has one, the end token."""
    added = {token["content"] for token in json.loads(source.read_bytes()).get("added_tokens", [])}
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False}
    if END in added:
        config["eos_token"] = END
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
