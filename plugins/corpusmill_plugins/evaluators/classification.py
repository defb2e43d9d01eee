"""Scores of a classifier on labelled documents."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from corpusmill import CorpusmillError, Documents, Evaluator, Model, Port, option
from corpusmill_plugins.evaluators import models
from corpusmill_plugins.evaluators.scores import classification

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


class Classification(Evaluator):
    """Score a classifier on labelled documents.

    For each split: `accuracy`, `f1_macro`, `f1` by class, `confusion`, `majority_baseline`, `n`. A label that the
    model does not know counts as wrong. Rows without a label are left out and counted in `without_label`.
    """

    version = 1
    depends = ("torch", "transformers")
    inputs: ClassVar[dict[str, type[Port] | Port]] = {"model": Model(), "documents": Documents()}

    class Options(Evaluator.Options):
        """The label, and how texts go through the model."""

        label: str = option("label", help="column with the class of each document")
        max_length: int = option(256, ge=2, help="tokens of a document that are used; as in training", unit="tokens")
        batch_size: int = option(
            32, ge=1, help="documents through the model at a time", unit="documents", affects_result=False
        )

    def reads(self) -> tuple[str, ...]:
        """Text and label."""
        return (self.column, self.options.label)

    def run(self, inputs: Any, work: Any) -> dict[str, Any]:
        """Measure each split of the documents; data without labels of splits is one split named ''."""
        folder = Path(inputs.model.path)
        model = models.load("AutoModelForSequenceClassification", folder, work.device)
        tokenizer = models.load_tokenizer(folder)
        splits = list(inputs.documents.splits) or [""]
        measured = {}
        with models.inference(work.threads):
            for done, split in enumerate(splits, start=1):
                measured[split] = self._measure(model, tokenizer, inputs.documents, split, work.device)
                work.progress(done, len(splits))
        return models.per_split(measured)

    def _measure(self, model: Any, tokenizer: Any, documents: Any, split: str, device: str) -> dict[str, Any]:
        import numpy as np

        texts, labels, missing = self._read(documents, split)
        if not texts:
            raise CorpusmillError(
                f"split {split!r} has no row with a label in column {self.options.label!r}",
                where=f"step {self.context.step!r}",
                expected="at least one labelled document",
            )
        known = [model.config.id2label[index] for index in range(model.config.num_labels)]
        names = known + sorted(set(labels) - set(known))
        number = {name: index for index, name in enumerate(names)}
        truth = np.array([number[label] for label in labels], np.int64)
        guess = self._guess(model, tokenizer, texts, device)
        return {**classification(truth, guess, names), "without_label": missing}

    def _read(self, documents: Any, split: str) -> tuple[list[str], list[str], int]:
        texts, labels, missing = [], [], 0
        columns = [self.column, self.options.label]
        for batch in documents.batches(columns=columns, split=split or None):
            pairs = zip(*(batch.column(name).to_pylist() for name in columns), strict=True)
            for text, label in pairs:
                if label is None:
                    missing += 1
                    continue
                texts.append(text or "")
                labels.append(str(label))
        return texts, labels, missing

    def _guess(self, model: Any, tokenizer: Any, texts: list[str], device: str) -> npt.NDArray[np.int64]:
        """The most likely class of each text, int64 (n,); texts of like length share a batch."""
        import numpy as np

        limit = min(self.options.max_length, getattr(model.config, "max_position_embeddings", None) or 1 << 30)
        pad = model.config.pad_token_id or 0
        encoded = tokenizer(texts, truncation=True, max_length=limit, return_attention_mask=False)["input_ids"]
        rows = [row or [pad] for row in encoded]
        order = np.argsort([len(row) for row in rows], kind="stable")
        guess = np.empty(len(rows), np.int64)
        for start in range(0, len(rows), self.options.batch_size):
            part = order[start : start + self.options.batch_size]
            guess[part] = _logits(model, [rows[index] for index in part], pad, device).argmax(-1)
        return guess


def _logits(model: Any, rows: list[list[int]], pad: int, device: str) -> npt.NDArray[np.float32]:
    """Logits (n, classes) of right-padded rows."""
    import numpy as np
    import torch

    longest = max(len(row) for row in rows)
    mask = np.arange(longest) < np.array([len(row) for row in rows])[:, None]
    inputs = np.full(mask.shape, pad, np.int64)
    inputs[mask] = np.concatenate(rows)
    output = model(
        input_ids=torch.from_numpy(inputs).to(device), attention_mask=torch.from_numpy(mask.astype(np.int64)).to(device)
    )
    return np.asarray(output.logits.float().cpu().numpy())
