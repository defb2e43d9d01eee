"""What a training task says about itself; the loop does the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import torch

Batch = dict[str, "torch.Tensor"]


class Task:
    """Samples, their batches, and the loss of a model's output.

    The loop adds up `loss` over the micro-batches of a step and divides by the sum of `count`: a gradient does not
    depend on how a batch was cut. No task uses the loss that comes with a transformers head: most of those ignore
    the count of other micro-batches.
    """

    samples: int
    """Training samples; the loop asks for them by number in [0, samples)."""
    unit = "samples"
    """What `count` counts: the name of the throughput metric."""

    def batch(self, indices: npt.NDArray[np.int64]) -> Batch:
        """Return CPU tensors of these training samples, all with `len(indices)` rows."""
        raise NotImplementedError

    def count(self, batch: Batch) -> int:
        """Return how many terms `loss` adds up for this CPU batch: known before the model runs, so no device waits."""
        raise NotImplementedError

    def forward(self, model: Any, batch: Batch) -> Any:
        """Return the model's output for a batch on its device, as `loss` wants it."""
        raise NotImplementedError

    def loss(self, output: Any, batch: Batch) -> torch.Tensor:
        """Return the sum (not the mean) of the losses of a batch, float32 scalar."""
        raise NotImplementedError

    def validate(self, model: Any, device: str) -> dict[str, float]:
        """Return metrics on the validation split by name (`loss` among them); empty where there is no such split."""
        return {}
