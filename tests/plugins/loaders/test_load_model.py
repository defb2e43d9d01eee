"""load.model and load.tokenizer: only what is safe and whole gets in, and nothing from a network."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from corpusmill import Context, InputError
from corpusmill_plugins.loaders.model import LoadModel
from corpusmill_plugins.loaders.tokenizer import LoadTokenizer


def load(operator: Any, path: str, base: Path, work: Any) -> dict[str, Any]:
    return operator(operator.Options(path=path), Context(base=str(base))).run(SimpleNamespace(), work)


def test_model_is_copied_and_loads(tmp_path: Path, model: SimpleNamespace, fakes: SimpleNamespace) -> None:
    """A folder given relative to the spec is copied with its tokenizer, and transformers loads the copy."""
    transformers = pytest.importorskip("transformers")
    work = fakes.Work(tmp_path / "work")
    summary = load(LoadModel, "model/output", tmp_path, work)
    copy = transformers.AutoModelForCausalLM.from_pretrained(str(work.output), local_files_only=True)
    assert summary["parameters"] == sum(value.numel() for value in copy.parameters())
    assert (work.output / "tokenizer.json").read_bytes() == (model.path / "tokenizer.json").read_bytes()


def test_pickled_weights_are_refused(tmp_path: Path, model: SimpleNamespace, fakes: SimpleNamespace) -> None:
    """A folder whose only weights are pickles is an error that names the file and the way out."""
    (model.path / "model.safetensors").unlink()
    (model.path / "pytorch_model.bin").write_bytes(b"anything")
    with pytest.raises(InputError, match=r"pytorch_model\.bin") as caught:
        load(LoadModel, str(model.path), tmp_path, fakes.Work(tmp_path / "work"))
    assert "safetensors" in str(caught.value)


def test_pickles_beside_safetensors_stay_outside(
    tmp_path: Path, model: SimpleNamespace, fakes: SimpleNamespace
) -> None:
    """Pickles and strange files beside good weights are not copied."""
    (model.path / "pytorch_model.bin").write_bytes(b"anything")
    (model.path / "modeling_evil.py").write_text("raise SystemExit")
    work = fakes.Work(tmp_path / "work")
    load(LoadModel, str(model.path), tmp_path, work)
    assert not {"pytorch_model.bin", "modeling_evil.py"} & {path.name for path in work.output.iterdir()}


def test_cut_weights_are_refused(tmp_path: Path, model: SimpleNamespace, fakes: SimpleNamespace) -> None:
    """A truncated safetensors file is found before anything is copied."""
    weights = model.path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    work = fakes.Work(tmp_path / "work")
    with pytest.raises(InputError, match="damaged weights"):
        load(LoadModel, str(model.path), tmp_path, work)
    assert not list(work.output.iterdir())


def test_code_in_the_configuration_is_refused(tmp_path: Path, model: SimpleNamespace, fakes: SimpleNamespace) -> None:
    """A config.json that points to its own Python code is an error."""
    config = json.loads((model.path / "config.json").read_bytes())
    config["auto_map"] = {"AutoModelForCausalLM": "modeling_evil.Evil"}
    (model.path / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="own code"):
        load(LoadModel, str(model.path), tmp_path, fakes.Work(tmp_path / "work"))


def test_missing_shard_is_named(tmp_path: Path, model: SimpleNamespace, fakes: SimpleNamespace) -> None:
    """An index that names a shard which is not there is an error that names the shard."""
    shutil.move(model.path / "model.safetensors", model.path / "model-00001-of-00002.safetensors")
    shards = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (model.path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))
    with pytest.raises(InputError, match="model-00002-of-00002"):
        load(LoadModel, str(model.path), tmp_path, fakes.Work(tmp_path / "work"))


@pytest.mark.parametrize("path", ["bert-base-chinese", "hf://bert-base-chinese"])
def test_hub_names_are_not_looked_up(path: str, tmp_path: Path, fakes: SimpleNamespace) -> None:
    """A name on a hub is a missing path, told in words."""
    for operator in (LoadModel, LoadTokenizer):
        with pytest.raises(InputError, match="bert-base-chinese"):
            load(operator, path, tmp_path, fakes.Work(tmp_path / "work"))


def test_tokenizer_from_file_and_from_folder(
    tmp_path: Path, tokenizer: SimpleNamespace, fakes: SimpleNamespace
) -> None:
    """A bare tokenizer.json and its folder give a folder with the same tokenizer and an end token."""
    for number, path in enumerate([tokenizer.path, tokenizer.path / "tokenizer.json"]):
        work = fakes.Work(tmp_path / f"work-{number}")
        assert load(LoadTokenizer, str(path), tmp_path, work) == {"size": 320}
        assert (work.output / "tokenizer.json").read_bytes() == (tokenizer.path / "tokenizer.json").read_bytes()
        assert json.loads((work.output / "tokenizer_config.json").read_bytes())["eos_token"] == "<|endoftext|>"


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe", b'{"model": {"type": "BPE"}'])
def test_broken_tokenizer_is_refused(content: bytes, tmp_path: Path, fakes: SimpleNamespace) -> None:
    """A file that is not a tokenizer is an InputError with the cause."""
    (tmp_path / "tokenizer.json").write_bytes(content)
    with pytest.raises(InputError, match="not a tokenizer"):
        load(LoadTokenizer, "tokenizer.json", tmp_path, fakes.Work(tmp_path / "work"))
