"""evaluate.perplexity: sums over whole splits, a baseline recomputed by hand."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from corpusmill import CorpusmillError

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from corpusmill_plugins.evaluators.perplexity import Perplexity  # noqa: E402


def score(model: Any, tokens: Any, work: Any, **options: Any) -> dict[str, Any]:
    return Perplexity(Perplexity.Options(**options)).run(SimpleNamespace(model=model, tokens=tokens), work)


def test_loss_equals_a_plain_recomputation(tmp_path: Path, tokens: Any, model: Any, fakes: SimpleNamespace) -> None:
    """Window by window through transformers, softmax in float64: the same loss, perplexity and bits per byte."""
    network = transformers.AutoModelForCausalLM.from_pretrained(str(model.path)).eval()
    ids, nats = tokens.streams["test"], 0.0
    for start in range(0, len(ids) - 1, tokens.window):
        piece = torch.tensor(ids[start : start + tokens.window + 1])
        with torch.no_grad():
            logs = network(input_ids=piece[None, :-1]).logits[0].double().log_softmax(-1)
        nats -= float(logs[torch.arange(len(piece) - 1), piece[1:]].sum())
    found = score(model, tokens, fakes.Work(tmp_path / "score"))["splits"]["test"]
    assert found["tokens"] == len(ids) - 1
    assert found["loss"] == pytest.approx(nats / (len(ids) - 1), rel=1e-6)
    assert found["perplexity"] == pytest.approx(math.exp(nats / (len(ids) - 1)), rel=1e-5)
    assert found["bits_per_byte"] == pytest.approx(nats / math.log(2) / (4 * len(ids)), rel=1e-6)


def test_unigram_equals_a_plain_recomputation(tmp_path: Path, tokens: Any, model: Any, fakes: SimpleNamespace) -> None:
    """The baseline is add-one over all training ids, whole vocabulary, on the predicted tokens of the split."""
    seen, total = Counter(tokens.streams["train"]), len(tokens.streams["train"])
    predicted = tokens.streams["validation"][1:]
    logs = [math.log((seen[one] + 1) / (total + tokens.vocabulary_size)) for one in predicted]
    found = score(model, tokens, fakes.Work(tmp_path / "score"))["splits"]["validation"]
    assert found["unigram_perplexity"] == pytest.approx(math.exp(-math.fsum(logs) / len(logs)))


def test_batches_do_not_matter(tmp_path: Path, tokens: Any, model: Any, fakes: SimpleNamespace) -> None:
    """One window at a time and all at once give the same numbers."""
    results = [score(model, tokens, fakes.Work(tmp_path / str(n)), batch_tokens=n)["splits"] for n in (1, 48, 10**6)]
    for label, expected in results[0].items():
        for other in results[1:]:
            assert other[label] == pytest.approx(expected, rel=1e-6)


def test_several_references_are_reported_apart(tmp_path: Path, tokens: Any, model: Any, fakes: SimpleNamespace) -> None:
    """Selected splits alone are reported, each with the baseline of the train split behind them."""
    parts = [
        fakes.Tokens(tokens.streams, tokens.window, tokens.vocabulary_size, tokens.tokenizer, only=(label,))
        for label in ("validation", "test")
    ]
    whole = score(model, tokens, fakes.Work(tmp_path / "whole"))["splits"]
    found = score(model, parts, fakes.Work(tmp_path / "parts"))
    assert found == {"splits": {label: whole[label] for label in ("validation", "test")}}
    assert score(model, parts[:1], fakes.Work(tmp_path / "one"))["perplexity"] == whole["validation"]["perplexity"]


def test_baseline_needs_a_train_split(tmp_path: Path, tokens: Any, model: Any, fakes: SimpleNamespace) -> None:
    """Tokens without a train split are measured without a baseline."""
    apart = fakes.Tokens({"": tokens.streams["test"]}, tokens.window, tokens.vocabulary_size, tokens.tokenizer)
    assert "unigram_perplexity" not in score(model, apart, fakes.Work(tmp_path / "score"))


def test_foreign_tokens_are_refused(tmp_path: Path, tokens: Any, model: Any, fakes: SimpleNamespace) -> None:
    """Tokens of another tokenizer give numbers that mean nothing, so there are none."""
    place = model.path / "tokenizer.json"
    place.write_text(place.read_text().replace("<|pad|>", "<|other|>"))
    with pytest.raises(CorpusmillError, match="different tokenizers"):
        score(model, tokens, fakes.Work(tmp_path / "score"))
