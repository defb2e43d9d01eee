"""Perplexity and bits per byte of a language model on packed tokens."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, ClassVar

from corpusmill import CorpusmillError, Evaluator, Model, Port, Tokens, option
from corpusmill_plugins.evaluators import models
from corpusmill_plugins.evaluators.unigram import add_one_perplexity, count_all, count_predicted


class Perplexity(Evaluator):
    """Measure how well a model predicts tokens.

    For each split: `loss` (nats a token), `perplexity` = exp(loss), `bits_per_byte` (all bits over the UTF-8 bytes of
    the split's text: comparable between tokenizers), `tokens` (predicted: each but the split's first), and, where the
    tokens have a split `train`, `unigram_perplexity`: that of an add-one unigram model counted there. Sums over the
    whole split in float64, so the batch size does not matter.
    """

    version = 1
    depends = ("torch", "transformers")
    inputs: ClassVar[dict[str, type[Port] | Port]] = {"model": Model(), "tokens": Tokens(many=True)}

    class Options(Evaluator.Options):
        """How much goes through the model at a time."""

        batch_tokens: int = option(
            2048, ge=1, help="tokens through the model at a time", unit="tokens", affects_result=False
        )

    def run(self, inputs: Any, work: Any) -> dict[str, Any]:
        """Measure each split of each tokens input."""
        handles = inputs.tokens if isinstance(inputs.tokens, (list, tuple)) else [inputs.tokens]
        model = models.load("AutoModelForCausalLM", Path(inputs.model.path), work.device)
        measured: dict[str, dict[str, Any]] = {}
        total = sum(len(handle.windows(label)) for handle in handles for label in handle.splits)
        done = 0
        with models.inference(work.threads):
            for handle in handles:
                require_fit(model, Path(inputs.model.path), handle)
                for label in handle.splits:
                    name = label if label not in measured else f"{label}@{handle.digest[:8]}"
                    measured[name] = self._measure(model, handle, label, work.device)
                    done += len(handle.windows(label))
                    work.progress(done, total)
        return models.per_split(measured)

    def _measure(self, model: Any, tokens: Any, label: str, device: str) -> dict[str, Any]:
        windows, stats = tokens.windows(label), getattr(tokens, "all_splits", tokens.splits)
        if not len(windows):
            raise CorpusmillError(f"split {label!r} has no tokens to predict", expected="at least two tokens")
        chunk = max(1, self.options.batch_tokens // tokens.window)
        nats, count = sum_losses(model, windows, chunk, device)
        metrics: dict[str, Any] = {
            "loss": nats / count,
            "perplexity": math.exp(min(nats / count, 700.0)),
            "bits_per_byte": nats / math.log(2) / max(1, stats[label].text_bytes),
            "tokens": count,
        }
        if "train" in stats:
            train = count_all(tokens.windows("train"), tokens.vocabulary_size)
            predicted = count_predicted(windows, tokens.vocabulary_size)
            metrics["unigram_perplexity"] = add_one_perplexity(train, predicted)
        return metrics


def sum_losses(model: Any, windows: Any, chunk: int, device: str) -> tuple[float, int]:
    """Return the summed cross-entropy (nats, float64) over all predicted tokens of the windows, and their number.

    Short windows are padded at their end, where no earlier token sees it; each token's loss is float32.
    """
    import numpy as np
    import torch

    total, count = torch.zeros((), dtype=torch.float64, device=device), 0
    for start in range(0, len(windows), chunk):
        taken = torch.from_numpy(windows.take(np.arange(start, min(start + chunk, len(windows)))))
        count += int((taken[:, 1:] >= 0).sum())
        ids = taken.to(device)
        logits = model(input_ids=ids[:, :-1].clamp_min(0), use_cache=False).logits.float().flatten(0, 1)
        targets = ids[:, 1:].flatten()
        losses = torch.nn.functional.cross_entropy(logits, targets, ignore_index=-1, reduction="none")
        total += losses.double().sum()
    return float(total), count


def require_fit(model: Any, folder: Path, tokens: Any) -> None:
    """Raise CorpusmillError where model and tokens do not belong together."""
    if model.config.vocab_size < tokens.vocabulary_size or not _same_words(folder, Path(tokens.tokenizer.path)):
        raise CorpusmillError(
            "the model and the tokens have different tokenizers",
            where=str(folder),
            expected="tokens made with the tokenizer of this model",
            hint="give tokens.pack the model's own: needs: {documents: …, tokenizer: MODEL.tokenizer}",
        )
    context = getattr(model.config, "max_position_embeddings", None)
    if context is not None and context < tokens.window:
        raise CorpusmillError(
            f"windows of {tokens.window} tokens do not fit the model's {context} positions",
            expected=f"windows of at most {context}",
            hint="set `window` of tokens.pack",
        )


def _same_words(model: Path, tokenizer: Path) -> bool:
    from tokenizers import Tokenizer

    left, right = model / "tokenizer.json", tokenizer / "tokenizer.json"
    if not left.is_file() or left.read_bytes() == right.read_bytes():
        return True
    return bool(Tokenizer.from_file(str(left)).get_vocab() == Tokenizer.from_file(str(right)).get_vocab())
