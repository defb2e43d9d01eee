"""The task of naming a class: labelled texts as token ids, and the loss of a classifying head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from corpusmill_plugins.trainers.task import Batch, Task

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import torch

UNKNOWN = -1
"""Class of a validation row whose label no training row has; it counts as wrong."""


@dataclass
class Labelled:
    """Texts as ids end to end: row i is `ids[offsets[i]:offsets[i + 1]]`; `classes`: int64 (rows,)."""

    ids: npt.NDArray[np.int64]
    offsets: npt.NDArray[np.int64]
    classes: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.classes)


def read(documents: Any, split: str | None, column: str, label: str) -> tuple[list[str], list[str]]:
    """Return texts and labels of a split, without rows that have no label."""
    texts: list[str] = []
    labels: list[str] = []
    for batch in documents.batches(columns=[column, label], split=split):
        pairs = zip(batch.column(column).to_pylist(), batch.column(label).to_pylist(), strict=True)
        for text, name in pairs:
            if name is not None:
                texts.append(text or "")
                labels.append(str(name))
    return texts, labels


def encode(texts: list[str], labels: list[str], classes: list[str], tokenizer: Any, limit: int, pad: int) -> Labelled:
    """Return texts as ids, cut after `limit`; a text without any token is one padding token."""
    import numpy as np

    rows: list[list[int]] = []
    for start in range(0, len(texts), 1024):
        part = texts[start : start + 1024]
        rows += tokenizer(part, truncation=True, max_length=limit, return_attention_mask=False)["input_ids"]
    rows = [row or [pad] for row in rows]
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows], dtype=np.int64)]).astype(np.int64)
    ids = np.fromiter((one for row in rows for one in row), np.int64, count=int(offsets[-1]))
    number = {name: index for index, name in enumerate(classes)}
    return Labelled(ids, offsets, np.array([number.get(name, UNKNOWN) for name in labels], np.int64))


class NameClass(Task):
    """Samples are labelled texts; the head's logits are judged by cross-entropy."""

    unit = "samples"

    def __init__(self, train: Labelled, validation: Labelled | None, pad: int, names: list[str], chunk: int):
        self.train, self.validation, self.pad, self.names, self.chunk = train, validation, pad, names, chunk
        self.samples = len(train)

    def batch(self, indices: npt.NDArray[np.int64]) -> Batch:
        """Return `inputs` and `mask`, int64 (n, longest), and `classes`, int64 (n,)."""
        return to_batch(self.train, indices, self.pad)

    def count(self, batch: Batch) -> int:
        """Rows that have a class."""
        return int((batch["classes"] >= 0).sum())

    def forward(self, model: Any, batch: Batch) -> torch.Tensor:
        """Return logits (n, classes)."""
        logits: torch.Tensor = model(input_ids=batch["inputs"], attention_mask=batch["mask"]).logits
        return logits

    def loss(self, output: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Return the summed cross-entropy in nats."""
        import torch

        return torch.nn.functional.cross_entropy(
            output.float(), batch["classes"], ignore_index=UNKNOWN, reduction="sum"
        )

    def validate(self, model: Any, device: str) -> dict[str, float]:
        """Return loss, accuracy and f1_macro on the validation split."""
        import numpy as np
        import torch

        if not self.validation:
            return {}
        total, count, guesses = 0.0, 0, []
        with torch.no_grad():
            for start in range(0, len(self.validation), self.chunk):
                rows = np.arange(start, min(start + self.chunk, len(self.validation)))
                batch = to_batch(self.validation, rows, self.pad)
                there = {name: value.to(device) for name, value in batch.items()}
                output = self.forward(model, there)
                total, count = total + float(self.loss(output, there)), count + self.count(batch)
                guesses.append(output.argmax(-1).cpu().numpy())
        guess, truth = np.concatenate(guesses), self.validation.classes
        scores = {"accuracy": float((guess == truth).mean()), "f1_macro": f1_macro(truth, guess)}
        return {"loss": total / max(1, count), **scores}


def f1_macro(truth: npt.NDArray[np.int64], guess: npt.NDArray[np.int64]) -> float:
    """Return the mean F1 over the classes that occur in either array; a class never hit has 0."""
    import numpy as np

    scores = []
    for one in np.union1d(truth, guess):
        hits = int(((truth == one) & (guess == one)).sum())
        scores.append(2 * hits / int((truth == one).sum() + (guess == one).sum()))
    return float(np.mean(scores))


def to_batch(rows: Labelled, indices: npt.NDArray[np.int64], pad: int) -> Batch:
    """Return right-padded tensors of these rows."""
    import numpy as np
    import torch

    lengths = rows.offsets[indices + 1] - rows.offsets[indices]
    places = np.arange(int(lengths.max()))
    mask = places < lengths[:, None]
    inputs = np.full(mask.shape, pad, np.int64)
    inputs[mask] = rows.ids[(rows.offsets[indices][:, None] + places)[mask]]
    tensors = {"inputs": inputs, "mask": mask.astype(np.int64), "classes": rows.classes[indices]}
    return {name: torch.from_numpy(value) for name, value in tensors.items()}
