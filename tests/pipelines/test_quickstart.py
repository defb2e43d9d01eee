"""The quickstart as a user runs it: a model that learned, a dataset that others can read."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
SEEDS = (42, 43, 44)
WINDOW = 256
Run = Callable[[list[str], Path], dict[str, Any]]


@pytest.fixture(scope="module")
def runs(
    quickstart: str, run_corpusmill: Run, tmp_path_factory: pytest.TempPathFactory
) -> dict[int, tuple[Path, dict[str, Any]]]:
    """The quickstart for three seeds, in one store: what does not depend on the seed is done once."""
    folder = tmp_path_factory.mktemp("seeds")
    made = {}
    for seed in SEEDS:
        out = folder / f"out-{seed}"
        arguments = [quickstart, "--executor", "inline", "--store", str(folder / "store"), "--seed", str(seed)]
        made[seed] = (out, run_corpusmill([*arguments, "--set", f"export.path={out}"], folder))
    return made


@pytest.mark.parametrize("seed", SEEDS)
def test_test_perplexity_is_half_of_unigram(runs: dict[int, tuple[Path, dict[str, Any]]], seed: int) -> None:
    """Recomputed from the exported files by other code, test perplexity is at most half an add-one unigram model's."""
    out, outputs = runs[seed]
    model_folder = Path(outputs["outputs"]["model"]["path"])
    train, test = (_token_stream(out, model_folder, split) for split in ("train", "test"))
    unigram = _unigram_perplexity(train, test, outputs["outputs"]["vocabulary"]["summary"]["size"])
    model = _model_perplexity(model_folder, test)
    reported = outputs["outputs"]["score"]["values"]["splits"]["test"]
    assert reported["perplexity"] == pytest.approx(model, rel=1e-3)
    assert reported["unigram_perplexity"] == pytest.approx(unigram, rel=1e-3)
    assert model <= 0.5 * unigram


@pytest.mark.parametrize("seed", SEEDS)
def test_little_of_the_test_split_is_in_train(runs: dict[int, tuple[Path, dict[str, Any]]], seed: int) -> None:
    """Less than 5 % of the 13-grams of tokens in the test split occur in the train split."""
    out, outputs = runs[seed]
    model_folder = Path(outputs["outputs"]["model"]["path"])
    train, test = (_grams(_token_stream(out, model_folder, split)) for split in ("train", "test"))
    assert len(test) > 1_000
    assert len(test & train) / len(test) < 0.05


def test_export_loads_with_datasets(runs: dict[int, tuple[Path, dict[str, Any]]]) -> None:
    """`datasets.load_dataset(folder)` reads the export with its three splits and all rows."""
    datasets = pytest.importorskip("datasets")
    out, outputs = runs[SEEDS[0]]
    loaded = datasets.load_dataset(str(out), cache_dir=str(out.parent / "cache"))
    rows = {name: split.num_rows for name, split in loaded.items()}
    assert rows == outputs["outputs"]["export"]["splits"]
    assert sum(rows.values()) == outputs["counts"]["split"]["out"]


def test_nothing_goes_missing(runs: dict[int, tuple[Path, dict[str, Any]]]) -> None:
    """For every step, in + added = out + removed + quarantined."""
    for step, one in runs[SEEDS[0]][1]["counts"].items():
        gone = sum(one["removed"].values()) + sum(one["quarantined"].values())
        assert one["in"] + one["added"] == one["out"] + gone, step


def test_fine_tuning_beats_the_majority_class(
    repository: Path, run_corpusmill: Run, runs: dict[int, tuple[Path, dict[str, Any]]], tmp_path: Path
) -> None:
    """The second pipeline takes the quickstart's model and beats the majority class on its test split."""
    store = runs[SEEDS[0]][0].parent / "store"
    spec = str(repository / "pipelines" / "finetune-sentiment.yaml")
    outputs = run_corpusmill([spec, "--executor", "inline", "--store", str(store)], tmp_path)
    scores = outputs["outputs"]["test"]["values"]
    assert scores["n"] > 500
    assert scores["accuracy"] > scores["majority_baseline"] + 0.05


def _token_stream(out: Path, model_folder: Path, split: str) -> list[int]:
    """Return the ids of a split's documents in order, each followed by the end token."""
    import pyarrow.parquet as pq
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(model_folder / "tokenizer.json"))
    tokenizer.encode_special_tokens = True
    end = tokenizer.token_to_id("<|endoftext|>")
    stream: list[int] = []
    for path in sorted((out / "data").glob(f"{split}-*.parquet")):
        for text in pq.read_table(path, columns=["text"])["text"].to_pylist():
            stream += [*tokenizer.encode(text, add_special_tokens=False).ids, end]
    return stream


def _unigram_perplexity(train: list[int], test: list[int], vocabulary: int) -> float:
    counts = Counter(train)
    total = len(train) + vocabulary
    loss = -sum(math.log((counts[token] + 1) / total) for token in test[1:])
    return math.exp(loss / (len(test) - 1))


def _model_perplexity(folder: Path, stream: list[int]) -> float:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    loss, tokens = 0.0, 0
    with torch.no_grad():
        for start in range(0, len(stream) - 1, WINDOW):
            ids = torch.tensor([stream[start : start + WINDOW + 1]])
            logits = model(ids[:, :-1]).logits[0]
            loss += float(torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="sum"))
            tokens += ids.shape[1] - 1
    return math.exp(loss / tokens)


def _grams(stream: list[int], size: int = 13) -> set[tuple[int, ...]]:
    return {tuple(stream[start : start + size]) for start in range(len(stream) - size + 1)}
