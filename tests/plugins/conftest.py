"""Stand-ins for what the engine hands to global operators, over plain folders and lists."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pytest


class FakeWork:
    """A `Work` over a folder; `stop_after` checks of `should_stop` it says yes."""

    def __init__(self, root: Path, seed: int = 7, stop_after: int | None = None):
        self.output, self.folder = root / "output", root / "folder"
        for folder in (self.output, self.folder):
            folder.mkdir(parents=True, exist_ok=True)
        self.seed, self.device, self.threads = seed, "cpu", 1
        self.recorded: list[tuple[int, dict[str, float]]] = []
        self.stop_after, self.asked = stop_after, 0

    def metrics(self, step: int, **values: float) -> None:
        self.recorded.append((step, values))

    def progress(self, done: int, total: int) -> None:
        assert 0 <= done <= total

    def should_stop(self) -> bool:
        self.asked += 1
        return self.stop_after is not None and self.asked > self.stop_after

    def checkpoint(self, step: int, save: Callable[[Path], None]) -> None:
        folder = self.folder / f"checkpoint-{step:06d}"
        folder.mkdir(exist_ok=True)
        save(folder)

    def latest_checkpoint(self) -> Path | None:
        return max(self.folder.glob("checkpoint-*"), default=None)


class FakeDocuments:
    """A `DocumentsInput` over rows; batches hold `batch_rows` rows and are slices."""

    def __init__(self, rows: Sequence[dict[str, Any]], batch_rows: int = 3):
        schema = pa.schema([(name, pa.large_string()) for name in (rows[0] if rows else {"text": ""})])
        self.table = pa.Table.from_pylist(list(rows), schema=schema)
        self.rows, self.schema, self.digest, self.batch_rows = len(rows), schema, "d" * 32, batch_rows
        labels = self.table["split"].to_pylist() if "split" in schema.names else []
        self.splits = {label: labels.count(label) for label in dict.fromkeys(labels)}

    def batches(self, columns: Sequence[str] | None = None, split: str | None = None) -> Iterator[pa.RecordBatch]:
        table = self.table
        if split is not None:
            table = table.filter(pyarrow.compute.equal(table["split"], split))
        if columns is not None:
            table = table.select(list(columns))
        yield from table.combine_chunks().to_batches(max_chunksize=self.batch_rows)


class FakeWindows:
    """`Windows` over one stream of ids."""

    def __init__(self, ids: Sequence[int], window: int):
        self.ids, self.window = np.asarray(ids, np.int64), window

    def __len__(self) -> int:
        return max(0, -(-(len(self.ids) - 1) // self.window))

    def lengths(self) -> np.ndarray:
        starts = np.arange(len(self)) * self.window
        return np.minimum(self.window + 1, len(self.ids) - starts)

    def take(self, indices: np.ndarray) -> np.ndarray:
        places = np.asarray(indices)[:, None] * self.window + np.arange(self.window + 1)
        return np.where(places < len(self.ids), self.ids[np.minimum(places, len(self.ids) - 1)], -1)


@dataclass
class FakeTokens:
    """A `TokensInput` over streams of ids by split."""

    streams: dict[str, Sequence[int]]
    window: int
    vocabulary_size: int
    tokenizer: Any
    only: tuple[str, ...] | None = None
    digest: str = "t" * 32
    text_bytes: dict[str, int] = field(default_factory=dict)

    @property
    def all_splits(self) -> dict[str, Any]:
        return {
            label: SimpleNamespace(
                windows=len(self.windows(label)),
                tokens=len(ids),
                text_bytes=self.text_bytes.get(label, 4 * len(ids)),
                documents=1,
            )
            for label, ids in self.streams.items()
        }

    @property
    def splits(self) -> dict[str, Any]:
        return {name: stats for name, stats in self.all_splits.items() if self.only is None or name in self.only}

    def windows(self, split: str) -> FakeWindows:
        return FakeWindows(self.streams[split], self.window)


@pytest.fixture
def fakes() -> SimpleNamespace:
    """The stand-ins by name: Work, Documents, Tokens, Windows."""
    return SimpleNamespace(Work=FakeWork, Documents=FakeDocuments, Tokens=FakeTokens, Windows=FakeWindows)


@pytest.fixture
def sentences() -> list[str]:
    """Small text with a structure that a small model can learn, some of it Chinese."""
    people = ["the miller", "a baker", "the old judge", "我的朋友", "那位老师"]
    deeds = ["reads a book", "sees the river", "writes 1924 letters", "喜欢喝茶", "在城里散步"]
    return [f"{who} {what}, and then {who} {other}。\n" for who in people for what in deeds for other in deeds]


@pytest.fixture
def tokenizer(tmp_path: Path, sentences: list[str], fakes: SimpleNamespace) -> SimpleNamespace:
    """A `TokenizerInput`: byte-level BPE of 320 tokens trained on the sentences."""
    from corpusmill_plugins.tokenizers.bpe import BytePairEncoding

    operator = BytePairEncoding(BytePairEncoding.Options(size=320))
    work = fakes.Work(tmp_path / "tokenizer")
    operator.run(SimpleNamespace(documents=fakes.Documents([{"text": text} for text in sentences])), work)
    return SimpleNamespace(path=work.output, digest="k" * 32)


@pytest.fixture
def tokens(tokenizer: SimpleNamespace, sentences: list[str], fakes: SimpleNamespace) -> FakeTokens:
    """Packed sentences in windows of 16: train, validation, test."""
    from tokenizers import Tokenizer

    encoder = Tokenizer.from_file(str(tokenizer.path / "tokenizer.json"))
    ids = [[*encoder.encode(text).ids, 0] for text in sentences]
    parts = {"train": ids[::2] + ids[1::4], "validation": ids[3::8], "test": ids[7::8]}
    streams = {label: [one for row in rows for one in row] for label, rows in parts.items()}
    return fakes.Tokens(streams, 16, encoder.get_vocab_size(), tokenizer)


@pytest.fixture
def model(tmp_path: Path, tokens: FakeTokens, fakes: SimpleNamespace) -> SimpleNamespace:
    """A `ModelInput`: a llama of width 32, trained for a few steps on the sentences."""
    pytest.importorskip("torch")
    from corpusmill_plugins.trainers.causal_lm import CausalLanguageModel

    shape = {"type": "llama", "layers": 1, "hidden": 32, "heads": 2}
    options = CausalLanguageModel.Options(model=shape, steps=10, batch_tokens=128, learning_rate=5e-3)
    work = fakes.Work(tmp_path / "model")
    CausalLanguageModel(options).run(SimpleNamespace(tokens=tokens, model=None), work)
    assert json.loads((work.output / "config.json").read_bytes())["hidden_size"] == 32
    return SimpleNamespace(path=work.output, digest="m" * 32)
