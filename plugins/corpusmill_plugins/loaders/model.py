"""Loading a model that was made elsewhere."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, ClassVar

from corpusmill import InputError, Loader, option
from corpusmill_plugins.kernels.environment import OFFLINE, environment
from corpusmill_plugins.loaders.local_path import resolve

PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.h5", "*.msgpack")
INDEX = "model.safetensors.index.json"
COMPANIONS = (
    "generation_config.json",
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


class LoadModel(Loader):
    """Take a model folder as `save_pretrained` writes it: config.json, weights in safetensors, tokenizer files.

    Weights that are pickles are refused: to open one is to run whatever it contains. So is a configuration that
    brings its own code (`auto_map`). Nothing is downloaded.
    """

    version = 1
    output = "model"
    outputs: ClassVar[dict[str, str]] = {"tokenizer": "tokenizer"}

    class Options(Loader.Options):
        """Where the model is."""

        path: str = option(help="a folder with config.json and *.safetensors; relative to the spec")

    def sources(self) -> tuple[str, ...]:
        """The folder whose content is loaded."""
        return (self.options.path,)

    def run(self, inputs: Any, work: Any) -> dict[str, Any]:
        """Check configuration and weights, then copy what `from_pretrained` needs and nothing else."""
        folder = resolve(self.options.path, self.context.base)
        kind = check_config(folder)
        shards = find_weights(folder)
        parameters = sum(count_parameters(shard) for shard in shards)
        names = ["config.json", *(shard.name for shard in shards)]
        names += [name for name in (INDEX, *COMPANIONS) if (folder / name).is_file()]
        for name in names:
            shutil.copyfile(folder / name, work.output / name)
        return {"model_type": kind, "parameters": parameters, "files": sorted(names)}


def check_config(folder: Path) -> str:
    """Return the model type of a folder's config.json; raises InputError if transformers does not know it."""
    place = folder / "config.json"
    expected = "a folder as `save_pretrained` writes it, with config.json"
    if not place.is_file():
        raise InputError(f"no config.json in {str(folder)!r}", where=str(folder), expected=expected)
    try:
        config = json.loads(place.read_bytes())
    except ValueError as cause:
        raise InputError(f"config.json is not JSON: {cause}", where=str(place), expected=expected) from cause
    if not isinstance(config, dict) or "auto_map" in config:
        raise InputError(
            "this model's configuration brings its own code, which is never run",
            where=str(place),
            expected="a model whose code is in transformers (no `auto_map`)",
        )
    with environment(OFFLINE):
        from transformers import AutoConfig
    try:
        return str(AutoConfig.from_pretrained(str(folder), local_files_only=True).model_type)
    except Exception as cause:  # transformers raises what its model classes raise
        raise InputError(f"transformers cannot read config.json: {cause}", where=str(place)) from cause


def find_weights(folder: Path) -> list[Path]:
    """Return the safetensors files of a model; raises InputError if there are none or one of an index is missing."""
    index = folder / INDEX
    single = folder / "model.safetensors"
    if single.is_file():
        return [single]
    if index.is_file():
        names = sorted(set(json.loads(index.read_bytes())["weight_map"].values()))
        missing = [name for name in names if Path(name).name != name or not (folder / name).is_file()]
        if missing:
            raise InputError(f"weights are missing: {', '.join(missing)}", where=str(index), expected="all shards")
        return [folder / name for name in names]
    pickles = sorted(path.name for pattern in PICKLES for path in folder.glob(pattern))
    if pickles:
        raise InputError(
            f"weights are pickles, which can run any code: {', '.join(pickles)}",
            where=str(folder),
            expected="model.safetensors",
            hint="convert it where you trust it: model.save_pretrained(FOLDER) writes safetensors",
        )
    raise InputError(f"no weights in {str(folder)!r}", where=str(folder), expected="model.safetensors")


def count_parameters(shard: Path) -> int:
    """Return the numbers in one safetensors file; raises InputError if it is damaged or cut short."""
    from math import prod

    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(shard), framework="np") as tensors:
            return sum(prod(tensors.get_slice(name).get_shape()) for name in tensors.keys())  # noqa: SIM118
    except SafetensorError as cause:
        raise InputError(f"damaged weights: {cause}", where=str(shard), expected="a whole safetensors file") from cause
