"""tokenizer.bpe: the same bytes every time, exact round trips, loadable by transformers."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill_plugins.tokenizers.bpe import BytePairEncoding

TRAIN_APART = """
import sys, types, pathlib
import pyarrow as pa
from corpusmill_plugins.tokenizers.bpe import BytePairEncoding

class Documents:
    rows = 400
    def batches(self, columns):
        for start in range(0, 400, 40):
            texts = [f"row {n} says {n * n} and 你好世界{n % 7} {chr(97 + n % 26)}" for n in range(start, start + 40)]
            yield pa.record_batch({"text": pa.array(texts, pa.large_string())})

work = types.SimpleNamespace(output=pathlib.Path(sys.argv[1]), progress=lambda done, total: None)
BytePairEncoding(BytePairEncoding.Options(size=500)).run(types.SimpleNamespace(documents=Documents()), work)
"""


def encoder(folder: Path) -> Any:
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(folder / "tokenizer.json"))


def test_two_processes_agree(tmp_path: Path) -> None:
    """Two fresh processes with different numbers of threads and hash seeds write the same bytes."""
    digests = []
    for threads in ("1", "3"):
        folder = tmp_path / threads
        folder.mkdir()
        switches = {"TOKENIZERS_PARALLELISM": "true", "RAYON_NUM_THREADS": threads, "PYTHONHASHSEED": threads}
        subprocess.run([sys.executable, "-c", TRAIN_APART, str(folder)], check=True, env={**os.environ, **switches})
        digests.append(hashlib.sha256((folder / "tokenizer.json").read_bytes()).hexdigest())
    assert digests[0] == digests[1]


def test_batches_do_not_matter(tmp_path: Path, sentences: list[str], fakes: SimpleNamespace) -> None:
    """The cut of the documents into batches does not change a byte."""
    files = []
    for rows in (1, 50):
        work = fakes.Work(tmp_path / str(rows))
        documents = fakes.Documents([{"text": text} for text in sentences], batch_rows=rows)
        BytePairEncoding(BytePairEncoding.Options(size=300)).run(SimpleNamespace(documents=documents), work)
        files.append((work.output / "tokenizer.json").read_bytes())
    assert files[0] == files[1]


def test_null_and_empty_texts_are_no_words(tmp_path: Path, fakes: SimpleNamespace) -> None:
    """Null and empty texts are counted as documents and teach nothing."""
    rows = [{"text": None}, {"text": ""}, {"text": "abab abab"}]
    summary = BytePairEncoding().run(SimpleNamespace(documents=fakes.Documents(rows)), fakes.Work(tmp_path))
    assert summary["documents"] == 3
    assert summary["size"] > 258


@given(text=st.text(max_size=60))
def test_round_trip(text: str, shared_tokenizer: Path) -> None:
    """Any text comes back from its ids as it was."""
    tokenizer = encoder(shared_tokenizer)
    tokenizer.encode_special_tokens = True
    assert tokenizer.decode(tokenizer.encode(text).ids, skip_special_tokens=False) == text


def test_words_of_mixed_text(shared_tokenizer: Path) -> None:
    """Chinese runs, Latin words, digits and marks are cut apart; marks and spaces stick to no character."""
    from tokenizers import Regex, pre_tokenizers

    from corpusmill_plugins.tokenizers.bpe import word_pattern

    split = pre_tokenizers.Split(Regex(word_pattern(3)), behavior="isolated")
    text = "我用Python写了12345行，it's fun。"
    words = [word for word, _ in split.pre_tokenize_str(text)]
    assert words == ["我用", "Python", "写了", "123", "45", "行", "，", "it", "'s", " fun", "。"]


def test_chinese_needs_few_tokens(shared_tokenizer: Path) -> None:
    """A frequent Chinese phrase becomes one token, though it is twelve bytes."""
    assert len(encoder(shared_tokenizer).encode("你好世界").ids) == 1


def test_special_tokens_come_first(tokenizer: SimpleNamespace) -> None:
    """End and padding have ids 0 and 1, and the vocabulary has the size that was asked for."""
    loaded = encoder(tokenizer.path)
    assert (loaded.token_to_id("<|endoftext|>"), loaded.token_to_id("<|pad|>")) == (0, 1)
    assert loaded.get_vocab_size() == 320


def test_transformers_loads_the_folder(tokenizer: SimpleNamespace) -> None:
    """AutoTokenizer loads the folder, knows end and padding, and gives the same ids."""
    transformers = pytest.importorskip("transformers")
    loaded = transformers.AutoTokenizer.from_pretrained(str(tokenizer.path), local_files_only=True)
    text = "the miller 喜欢喝茶, 1924"
    assert (loaded.eos_token, loaded.pad_token, loaded.eos_token_id) == ("<|endoftext|>", "<|pad|>", 0)
    assert loaded(text)["input_ids"] == encoder(tokenizer.path).encode(text).ids
    assert loaded.decode(loaded(text)["input_ids"]) == text


@pytest.fixture(scope="module")
def shared_tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One tokenizer for the property test, trained on mixed text."""
    folder = tmp_path_factory.mktemp("shared")
    subprocess.run([sys.executable, "-c", TRAIN_APART, str(folder)], check=True)
    return folder
