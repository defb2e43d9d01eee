"""Micro-batches side by side: each on a thread of its own, their gradients added in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from corpusmill_plugins.trainers.task import Batch

GRADIENT_BYTES = 1 << 30
"""Memory for gradients of micro-batches in flight; a model too large for two of them keeps its threads busy alone."""


class Lanes:
    """Gradients of micro-batches, on as many threads as there are micro-batches and cores.

    Small models leave a core idle when the threads share each operation: an operation is over before they are all
    awake. Here a micro-batch stays on one thread, so gradients do not depend on how many there are. A model that
    draws random numbers (dropout) draws them from one generator, in order: it gets a single lane, and so does a GPU.
    """

    def __init__(self, model: Any, device: str, threads: int, micro_batches: int):
        self.parameters = [value for value in model.parameters() if value.requires_grad]
        size = sum(value.numel() * value.element_size() for value in self.parameters)
        room = max(1, GRADIENT_BYTES // max(1, size))
        self.most = max(1, min(threads, micro_batches, room)) if device == "cpu" else 1
        self.threads = max(1, threads // self.most)
        self._pool: ThreadPoolExecutor | None = None
        self._draws: bool | None = None

    @contextmanager
    def open(self) -> Iterator[None]:
        """Have threads while the context lasts; each runs its operations on `threads` threads of torch's."""
        import torch

        torch.set_num_threads(self.threads)
        if self.most == 1:
            yield
            return
        with ThreadPoolExecutor(self.most, "lane", torch.set_num_threads, (self.threads,)) as self._pool:
            yield

    def backward(self, loss: Callable[[Batch], torch.Tensor], batches: list[Batch], count: int) -> list[torch.Tensor]:
        """Add the gradients of all losses over `count` to the parameters; return the losses, detached."""
        if self._pool is None or self._draws is not False:
            return self._in_turn(loss, batches, count)
        losses = []
        for start in range(0, len(batches), self.most):
            work = [self._pool.submit(self._gradients, loss, one, count) for one in batches[start : start + self.most]]
            for done in work:
                value, gradients = done.result()
                losses.append(value)
                self._add(gradients)
        return losses

    def _in_turn(self, loss: Callable[[Batch], torch.Tensor], batches: list[Batch], count: int) -> list[torch.Tensor]:
        import torch

        before = torch.get_rng_state() if self._draws is None else None
        losses = []
        for batch in batches:
            value = loss(batch)
            (value / count).backward()
            losses.append(value.detach())
        if before is not None:
            self._draws = not torch.equal(before, torch.get_rng_state())
        return losses

    def _gradients(self, loss: Callable[[Batch], torch.Tensor], batch: Batch, count: int) -> tuple[torch.Tensor, Any]:
        import torch

        value = loss(batch)
        return value.detach(), torch.autograd.grad(value / count, self.parameters, allow_unused=True)

    def _add(self, gradients: tuple[torch.Tensor | None, ...]) -> None:
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            if gradient is not None:
                parameter.grad = gradient if parameter.grad is None else parameter.grad.add_(gradient)
