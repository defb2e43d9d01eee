"""Small inputs of every kind, made once in a folder and shared by all checks of a process and by its twin."""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from corpusmill.errors import UsageError
from corpusmill.testing.corpus import NULLS, ORDINARY, UNICODE, make_batch
from corpusmill.testing.fakes import FakeArtifact, FakeDocuments, FakeTokens
from corpusmill.testing.findings import NotApplicable

WINDOW = 16
_CLASSES = ("a", "b")
_END, _PAD = "<|endoftext|>", "<|pad|>"
_HIDDEN = 16
_GIVEN = ("tokenizer", "model")
"""The folders that ports are bound to."""


class Samples:
    """A tokenizer, a model, tokens, documents and a word list, all tiny, in one folder.

    The model is a llama of one layer whose weights serve next-token prediction and a classifier of `a` and `b`.
    """

    def __init__(self, folder: Path):
        self.folder = folder

    def of(self, operator: Any) -> Samples:
        """Return the samples to try an operator with: these, or some with a model that its class makes itself.

        `sample_model(folder)`, a class method, is for operators whose models transformers does not load. Raises
        UsageError where it raises.
        """
        make = getattr(operator, "sample_model", None)
        if make is None:
            return self
        own = Samples(self.folder / f"{operator.__module__}-{operator.__name__}")
        model = own.folder / "model"
        if not model.is_dir():
            model.mkdir(parents=True)
            try:
                make(model)
            except Exception as error:
                shutil.rmtree(own.folder)
                words = f"{type(error).__name__}: {error}"
                raise UsageError(f"sample_model() of {operator.__name__} raised {words}") from error
        return own

    def port(self, artifact: str, columns: Sequence[str] = (), *, many: bool = False) -> Any:
        """Return what a port of this kind is bound to."""
        bound = self.documents(columns) if artifact == "documents" else getattr(self, artifact)
        return [bound] if many else bound

    def documents(self, columns: Sequence[str] = (), *, batch_rows: int = 7, only: bool = False) -> FakeDocuments:
        """Return labelled documents in the splits train, validation and test; `only` has just `columns` and id."""
        texts = [*ORDINARY, *ORDINARY[4:14], *UNICODE[:4], *NULLS[:2]]
        rows = make_batch(texts, columns)
        splits = [("train", "train", "validation", "test")[row % 4] for row in range(len(texts))]
        rows = rows.append_column("split", pa.array(splits, pa.string()))
        if only:
            rows = rows.select(list(dict.fromkeys(("id", "split", *columns))))
        return FakeDocuments(rows, batch_rows=batch_rows)

    def files(self) -> dict[str, bytes]:
        """Return the files of tokenizer and model by name."""
        places = [path for name in _GIVEN for path in (self.folder / name).rglob("*") if path.is_file()]
        return {path.relative_to(self.folder).as_posix(): path.read_bytes() for path in places}

    def restore(self, files: Mapping[str, bytes]) -> None:
        """Bring the files of tokenizer and model back to what they were."""
        for name in self.files().keys() - files.keys():
            (self.folder / name).unlink()
        for name, data in files.items():
            (self.folder / name).write_bytes(data)

    @cached_property
    def words(self) -> Path:
        """A list of words with synonyms: `word<TAB>synonym,synonym`."""
        path = self.folder / "words.txt"
        lines = ("good\tfine,nice", "book\tvolume,novel", "river\tstream", "朋友\t好友,伙伴", "天气\t气候")
        if not path.is_file():
            path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return path

    @cached_property
    def tokenizer(self) -> FakeArtifact:
        """A byte-level BPE of 300 tokens."""
        from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

        folder = self.folder / "tokenizer"
        if not (folder / "tokenizer_config.json").is_file():
            folder.mkdir(parents=True, exist_ok=True)
            tokenizer = Tokenizer(models.BPE())
            tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
            tokenizer.decoder = decoders.ByteLevel()
            alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
            trainer = trainers.BpeTrainer(
                vocab_size=300, special_tokens=[_END, _PAD], initial_alphabet=alphabet, show_progress=False
            )
            tokenizer.train_from_iterator(ORDINARY, trainer=trainer)
            tokenizer.save(str(folder / "tokenizer.json"))
            config = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": _END, "pad_token": _PAD}
            (folder / "tokenizer_config.json").write_text(json.dumps(config))
        return FakeArtifact(folder, "k" * 32)

    @cached_property
    def model(self) -> FakeArtifact:
        """A folder that transformers loads; needs safetensors."""
        folder = self.folder / "model"
        if not (folder / "config.json").is_file():
            try:
                from safetensors.numpy import save_file
            except ModuleNotFoundError as error:
                raise NotApplicable("the sample model needs safetensors: pip install 'corpusmill[train]'") from error
            folder.mkdir(parents=True, exist_ok=True)
            for name in ("tokenizer.json", "tokenizer_config.json"):
                shutil.copyfile(self.tokenizer.path / name, folder / name)
            save_file(_weights(), folder / "model.safetensors", metadata={"format": "pt"})
            (folder / "config.json").write_text(json.dumps(_CONFIG))
        return FakeArtifact(folder, "m" * 32)

    @cached_property
    def tokens(self) -> FakeTokens:
        """The ordinary texts as tokens in windows of 16: train, validation, test."""
        from tokenizers import Tokenizer

        encoder = Tokenizer.from_file(str(self.tokenizer.path / "tokenizer.json"))
        ids = [[*encoder.encode(text).ids, 0] for text in ORDINARY]
        parts = {"train": ids[::2] + ids[1::4], "validation": ids[3::8], "test": ids[7::8]}
        streams = {label: [one for row in rows for one in row] for label, rows in parts.items()}
        return FakeTokens(streams, WINDOW, encoder.get_vocab_size(), self.tokenizer)

    @cached_property
    def metrics(self) -> FakeArtifact:
        """Numbers as an evaluator leaves them."""
        return FakeArtifact(self.folder, "e" * 32, {"loss": 1.5, "accuracy": 0.5, "splits": {"test": {"loss": 1.5}}})


@cache
def shared_samples() -> Samples:
    """Return this process's samples; their folder goes when the process ends."""
    folder = tempfile.mkdtemp(prefix="corpusmill-samples-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Samples(Path(folder))


_CONFIG: dict[str, Any] = {
    "architectures": ["LlamaForSequenceClassification"],
    "model_type": "llama",
    "vocab_size": 300,
    "hidden_size": _HIDDEN,
    "intermediate_size": 2 * _HIDDEN,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "tie_word_embeddings": True,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "pad_token_id": 1,
    "id2label": dict(enumerate(_CLASSES)),
    "label2id": {name: index for index, name in enumerate(_CLASSES)},
}


def _weights() -> dict[str, Any]:
    """Return the weights by name, float32; tied embeddings, so one file serves both heads."""
    generator = np.random.default_rng(7)
    wide, narrow = (2 * _HIDDEN, _HIDDEN), (_HIDDEN, _HIDDEN)
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (300, _HIDDEN), "score.weight": (2, _HIDDEN)}
    shapes |= {f"model.layers.0.self_attn.{name}_proj.weight": narrow for name in "qkvo"}
    shapes |= {f"model.layers.0.mlp.{name}_proj.weight": wide for name in ("gate", "up")}
    shapes["model.layers.0.mlp.down_proj.weight"] = wide[::-1]
    weights: dict[str, Any] = {
        name: (generator.standard_normal(shape) * 0.2).astype(np.float32) for name, shape in shapes.items()
    }
    for name in ("layers.0.input_layernorm", "layers.0.post_attention_layernorm", "norm"):
        weights[f"model.{name}.weight"] = np.ones(_HIDDEN, np.float32)
    return weights
