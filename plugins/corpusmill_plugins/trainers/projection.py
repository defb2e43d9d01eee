"""Cross-entropy of an output layer without its logits: a few rows at a time, gradients with the loss."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

ROWS = 128
"""Positions whose logits exist at a time: with a vocabulary of some thousands they stay in a core's own cache."""


def hidden_states(model: Any, inputs: torch.Tensor) -> torch.Tensor:
    """Return what a causal model's output layer is given, float32 (n, window, hidden)."""
    states: torch.Tensor = model.base_model(input_ids=inputs, use_cache=False).last_hidden_state
    return states


def is_plain(model: Any) -> bool:
    """Say whether the logits of a CPU model are its hidden states times one matrix, by trying it on two windows.

    Models that scale or cap their logits, or add a bias, are not plain. Draws no random number.
    """
    import torch

    base, layer = getattr(model, "base_model", model), model.get_output_embeddings()
    if base is model or getattr(layer, "bias", None) is not None or getattr(layer, "weight", None) is None:
        return False
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            inputs = torch.arange(16).view(2, 8) % layer.weight.shape[0]
            logits = model(input_ids=inputs, use_cache=False).logits
            mine = hidden_states(model, inputs) @ layer.weight.t()
            return bool(mine.shape == logits.shape and torch.allclose(mine, logits, rtol=1e-5, atol=1e-6))
    except (AttributeError, RuntimeError, TypeError):  # a model of another build: its own logits are always right
        return False
    finally:
        model.train(training)


def summed_loss(hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the summed cross-entropy in nats of `hidden @ weight.T` against `targets`, a float32 scalar.

    `hidden`: float32 (n, width); `weight`: float32 (vocabulary, width); `targets`: int64 (n,), below zero where
    nothing is predicted. Logits are never held for more than `ROWS` positions: on a CPU writing and reading all of
    them takes as long as the products. Gradients are made in the same pass (as in Liger-Kernel's fused linear
    cross-entropy, Hsu et al. 2024).
    """
    import torch

    if torch.is_grad_enabled():
        loss: torch.Tensor = _function().apply(hidden, weight, targets)
        return loss
    return _pass(hidden, weight, targets, None, None)


def _pass(hidden: Any, weight: Any, targets: Any, by_hidden: Any, by_weight: Any) -> torch.Tensor:
    """Add up the loss; write its gradients into `by_hidden` and onto `by_weight` unless they are None."""
    import torch

    total = torch.zeros((), dtype=torch.float64)
    room = torch.empty(min(ROWS, len(hidden)), weight.shape[0])
    for start in range(0, len(hidden), ROWS):
        rows, wanted = hidden[start : start + ROWS], targets[start : start + ROWS, None]
        there = (wanted >= 0).to(rows.dtype)
        wanted = wanted.clamp_min(0)
        values = torch.mm(rows, weight.t(), out=room[: len(rows)])
        values.sub_(values.amax(1, keepdim=True))
        picked = values.gather(1, wanted)
        sums = values.exp_().sum(1, keepdim=True)
        total += ((sums.log() - picked) * there).sum()
        if by_hidden is not None or by_weight is not None:
            values.mul_(there / sums).scatter_add_(1, wanted, -there)
        if by_hidden is not None:
            torch.mm(values, weight, out=by_hidden[start : start + ROWS])
        if by_weight is not None:
            by_weight.addmm_(values.t(), rows)
    return total.float()


@cache
def _function() -> Any:
    """The loss as torch's autograd knows it; a class of torch, so made when torch is there."""
    import torch

    class SummedLoss(torch.autograd.Function):
        @staticmethod
        def forward(context: Any, hidden: Any, weight: Any, targets: Any) -> Any:
            by_hidden = torch.empty_like(hidden) if context.needs_input_grad[0] else None
            by_weight = torch.zeros_like(weight) if context.needs_input_grad[1] else None
            loss = _pass(hidden.detach(), weight.detach(), targets, by_hidden, by_weight)
            context.save_for_backward(by_hidden, by_weight)
            return loss

        @staticmethod
        def backward(context: Any, scale: Any) -> Any:
            return *(made if made is None else made.mul_(scale) for made in context.saved_tensors), None

    return SummedLoss
