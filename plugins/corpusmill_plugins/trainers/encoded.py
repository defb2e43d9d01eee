"""Rows as a task's own code encodes them: read once, kept small, padded when a batch is made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from corpusmill import CorpusmillError
from corpusmill_plugins.trainers.task import Batch, Task

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import torch

    from corpusmill_plugins.trainers.task_trainer import TaskTrainer

Sample = dict[str, Any]
"""Name -> number, or int32 (length,)."""
FILLERS = {"labels": -100}
"""What fills short lists at their end, by name; others are filled with the padding token."""


def encode_rows(trainer: TaskTrainer, documents: Any, split: str | None, tokenizer: Any, limit: int) -> list[Sample]:
    """Return the samples of one split, empty where there is no such split; raises CorpusmillError for a wrong one."""
    if split is not None and split not in documents.splits:
        return []
    samples: list[Sample] = []
    for batch in documents.batches(columns=list(trainer.reads()), split=split):
        for row in batch.to_pylist():
            row[trainer.column] = row[trainer.column] or ""
            made = trainer.encode(row, tokenizer)
            if made is not None:
                samples.append(_sample(trainer, made, samples[0] if samples else made, limit))
    return samples


def _sample(trainer: TaskTrainer, made: Any, first: Any, limit: int) -> Sample:
    import numpy as np

    found, expected = _shape(made), _shape(first)
    if "input_ids" not in made or found != expected:
        raise CorpusmillError(
            f"encode() of {type(trainer).__name__} returned {found}",
            where=f"step {trainer.context.step!r}",
            expected=f"{expected}, as for the first row" if "input_ids" in first else "a list `input_ids`",
        )
    return {
        name: value if isinstance(value, (int, float)) else np.asarray(value[:limit], np.int32)
        for name, value in made.items()
    }


def _shape(made: Any) -> dict[str, str]:
    """Return name -> what a sample holds under it; true or false is a whole number."""
    kinds = {True: "a fraction", False: "a whole number"}
    return {
        name: kinds[isinstance(value, float)] if isinstance(value, (int, float)) else "a list"
        for name, value in sorted(made.items())
    }


class EncodedRows(Task):
    """The task of a trainer over samples it encoded."""

    def __init__(self, trainer: TaskTrainer, train: list[Sample], validation: list[Sample], pad: int, chunk: int):
        self.trainer, self.train, self.validation, self.pad, self.chunk = trainer, train, validation, pad, chunk
        self.samples, self.unit = len(train), trainer.unit

    def batch(self, indices: npt.NDArray[np.int64]) -> Batch:
        """Return the padded tensors of these training samples."""
        return collate([self.train[index] for index in indices], self.pad)

    def count(self, batch: Batch) -> int:
        """As the trainer counts."""
        return self.trainer.count(batch)

    def forward(self, model: Any, batch: Batch) -> Any:
        """As the trainer calls its model."""
        return self.trainer.forward(model, batch)

    def loss(self, output: Any, batch: Batch) -> torch.Tensor:
        """As the trainer judges."""
        return self.trainer.loss(output, batch)

    def validate(self, model: Any, device: str) -> dict[str, float]:
        """Return loss and scores, each a mean over all that `count` counts in the validation split."""
        import torch

        sums: dict[str, float] = {}
        count = 0
        with torch.no_grad():
            for start in range(0, len(self.validation), self.chunk):
                batch = collate(self.validation[start : start + self.chunk], self.pad)
                count += self.count(batch)
                there = {name: value.to(device) for name, value in batch.items()}
                output = self.forward(model, there)
                found = {"loss": float(self.loss(output, there)), **self.trainer.scores(output, there)}
                sums = {name: sums.get(name, 0.0) + float(value) for name, value in found.items()}
        return {name: value / max(1, count) for name, value in sums.items()}


def collate(samples: Sequence[Sample], pad: int) -> Batch:
    """Return tensors of samples: numbers (rows,), lists int64 (rows, longest), and `attention_mask` of `input_ids`."""
    import numpy as np
    import torch

    batch = {}
    for name, first in samples[0].items():
        values = [sample[name] for sample in samples]
        if isinstance(first, (int, float)):
            batch[name] = torch.tensor(values, dtype=torch.float32 if isinstance(first, float) else torch.int64)
            continue
        lengths = np.array([len(value) for value in values])
        there = np.arange(max(1, int(lengths.max()))) < lengths[:, None]
        ids = np.full(there.shape, FILLERS.get(name, pad), np.int64)
        ids[there] = np.concatenate(values)
        batch[name] = torch.from_numpy(ids)
        if name == "input_ids":
            there[lengths == 0, 0] = True  # a text without any token is one padding token
            batch["attention_mask"] = torch.from_numpy(there.astype(np.int64))
    return batch
