"""The task of predicting the next token over packed windows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Union

from corpusmill_plugins.trainers import projection
from corpusmill_plugins.trainers.task import Batch, Task

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import torch

    from corpusmill import Windows

Output = Union["torch.Tensor", "tuple[torch.Tensor, torch.Tensor]"]


class NextToken(Task):
    """Samples are windows; each predicts all of its ids but the first.

    `chunk`: windows that go through the model at a time in validation. `plain`: the model's logits are its hidden
    states times one matrix (`projection.is_plain`), so that the loss needs no logits.
    """

    unit = "tokens"

    def __init__(self, train: Windows, validation: Windows | None, chunk: int, plain: bool = False):
        self.train, self.validation, self.chunk, self.plain = train, validation, chunk, plain
        self.samples = len(train)

    def batch(self, indices: npt.NDArray[np.int64]) -> Batch:
        """Return `inputs` and `targets`, int64 (n, window); targets of padding are -1."""
        return to_batch(self.train, indices)

    def count(self, batch: Batch) -> int:
        """Predicted tokens."""
        return int((batch["targets"] >= 0).sum())

    def forward(self, model: Any, batch: Batch) -> Output:
        """Return logits (n, window, vocabulary), or what they are made of: hidden states and the output matrix.

        Padding stands at the end, where no earlier token can see it.
        """
        if self.plain:
            return projection.hidden_states(model, batch["inputs"]), model.get_output_embeddings().weight
        logits: torch.Tensor = model(input_ids=batch["inputs"], use_cache=False).logits
        return logits

    def loss(self, output: Output, batch: Batch) -> torch.Tensor:
        """Return the summed cross-entropy in nats, computed in float32."""
        import torch

        targets = batch["targets"].flatten()
        if isinstance(output, tuple):
            return projection.summed_loss(output[0].flatten(0, 1), output[1], targets)
        flat = output.float().flatten(0, 1)
        return torch.nn.functional.cross_entropy(flat, targets, ignore_index=-1, reduction="sum")

    def validate(self, model: Any, device: str) -> dict[str, float]:
        """Return loss (nats a token) and perplexity over the whole validation split, weighted by tokens."""
        import numpy as np
        import torch

        if not self.validation:
            return {}
        total, count = torch.zeros((), dtype=torch.float64, device=device), 0
        with torch.no_grad():
            for start in range(0, len(self.validation), self.chunk):
                rows = np.arange(start, min(start + self.chunk, len(self.validation)))
                batch = to_batch(self.validation, rows)
                count += self.count(batch)
                there = {name: value.to(device) for name, value in batch.items()}
                total += self.loss(self.forward(model, there), there)
        loss = float(total) / max(1, count)
        return {"loss": loss, "perplexity": math.exp(min(loss, 700.0))}


def to_batch(windows: Windows, indices: npt.NDArray[np.int64]) -> Batch:
    """Return `inputs` (padding is id 0) and `targets` (padding is -1) of these windows."""
    import torch

    ids = torch.from_numpy(windows.take(indices))
    return {"inputs": ids[:, :-1].clamp_min(0), "targets": ids[:, 1:].contiguous()}
