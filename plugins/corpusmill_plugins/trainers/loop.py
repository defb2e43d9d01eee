"""One training loop for every task: AdamW, a schedule, accumulation by count, exact resume."""

from __future__ import annotations

import json
import math
import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corpusmill import CorpusmillError
from corpusmill_plugins.kernels.device import require
from corpusmill_plugins.trainers import checkpoint
from corpusmill_plugins.trainers.lanes import Lanes
from corpusmill_plugins.trainers.order import derive, sample_at
from corpusmill_plugins.trainers.schedule import Schedule, learning_rate

if TYPE_CHECKING:
    import torch

    from corpusmill_plugins.trainers.task import Batch, Task

CURVE = "losses.jsonl"
"""The file of a model's folder with its training losses: step, loss and learning rate a line."""


@dataclass(frozen=True)
class Recipe:
    """How to train.

    `samples`: how many in all, over as many epochs as that takes; `batch` of them make an update, `micro` at a time
    go through the model. `validate_samples` and `checkpoint_steps` of 0 mean never. `metric` names the validation
    metric that decides which weights are best (`loss`: the smallest; any other: the largest); training ends after
    `patience` validations without a better one, and the best weights are the result.
    """

    samples: int
    batch: int
    micro: int
    learning_rate: float
    schedule: Schedule
    weight_decay: float = 0.1
    betas: tuple[float, float] = (0.9, 0.95)
    clip: float = 1.0
    bfloat16: bool = False
    compiled: bool = False
    validate_samples: int = 0
    checkpoint_steps: int = 0
    report_steps: int = 10
    metric: str | None = None
    patience: int = 0

    @property
    def steps(self) -> int:
        """Updates in all; the last may be a smaller batch."""
        return math.ceil(self.samples / self.batch)


class Loop:
    """Trains one model on one device by one recipe."""

    def __init__(self, task: Task, model: Any, recipe: Recipe, work: Any, seed: int):
        import torch

        self.task, self.recipe, self.work, self.seed = task, recipe, work, seed
        require(work.device)
        self.device = work.device
        self.model = model.to(self.device)
        self.optimizer = make_optimizer(self.model, recipe)
        self.progress = checkpoint.Progress()
        self.best: dict[str, torch.Tensor] = {}
        self._loss = self._fresh_sum()
        self._since = (time.monotonic(), 0)
        self.lanes = Lanes(self.model, self.device, work.threads, math.ceil(recipe.batch / recipe.micro))
        self._micro_loss = torch.compile(self._sum_of_losses, dynamic=False) if recipe.compiled else self._sum_of_losses

    def run(self) -> dict[str, Any]:
        """Train to the end, or until asked to stop; return a summary with `stopped`."""
        with self.lanes.open():
            return self._train()

    def _train(self) -> dict[str, Any]:
        import torch

        torch.manual_seed(derive(self.seed, "dropout"))
        self._resume()
        self.model.train()
        while self.progress.step < self.recipe.steps and not self._out_of_patience():
            if self.work.should_stop():
                self._checkpoint()
                return self.summary(stopped=True)
            self._step()
            self._report()
            self._validate()
            every = self.recipe.checkpoint_steps
            if every and self.progress.step % every == 0 and self.progress.step < self.recipe.steps:
                self._checkpoint()
        if self.best:
            checkpoint.set_parameters(self.model, self.best)
        return self.summary(stopped=False)

    def summary(self, stopped: bool) -> dict[str, Any]:
        """What training came to; a pure function of the work, so no times."""
        now = self.progress
        summary: dict[str, Any] = {"stopped": stopped, "steps": now.step, "samples": now.position}
        summary |= {self.task.unit: now.counted, "train_loss": now.train_loss}
        summary |= {f"validation_{name}": value for name, value in now.validation.items()}
        if self.best:
            summary["best_step"] = now.best_step
        return summary

    def save_curve(self, folder: Path) -> None:
        """Write the training losses beside the model: the same bytes however often the training was interrupted."""
        lines = [{"step": step, "loss": loss, "learning_rate": rate} for step, loss, rate in self.progress.curve]
        (folder / CURVE).write_text("".join(json.dumps(line) + "\n" for line in lines))

    def _step(self) -> None:
        """One update: gradients of the loss summed over micro-batches, over the count of the whole batch."""
        import numpy as np
        import torch

        recipe, now = self.recipe, self.progress
        positions = np.arange(now.position, min(now.position + recipe.batch, recipe.samples))
        indices = sample_at(positions, self.task.samples, self.seed)
        cuts = range(0, len(indices), recipe.micro)
        batches = [self.task.batch(indices[cut : cut + recipe.micro]) for cut in cuts]
        count = sum(self.task.count(batch) for batch in batches)
        for loss in self.lanes.backward(lambda batch: self._micro_loss(self._to_device(batch)), batches, max(1, count)):
            self._loss += loss
        if recipe.clip:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), recipe.clip)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(recipe.learning_rate, recipe.schedule, now.step, recipe.steps)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        now.step, now.position = now.step + 1, now.position + len(indices)
        now.counted, now.loss_count = now.counted + count, now.loss_count + count

    def _sum_of_losses(self, batch: Batch) -> torch.Tensor:
        with self._precision():
            output = self.task.forward(self.model, batch)
        return self.task.loss(output, batch)

    def _precision(self) -> Any:
        import torch

        return torch.autocast(self.device, torch.bfloat16) if self.recipe.bfloat16 else nullcontext()

    def _to_device(self, batch: Batch) -> Batch:
        if self.device == "cpu":
            return batch
        return {name: value.pin_memory().to(self.device, non_blocking=True) for name, value in batch.items()}

    def _report(self) -> None:
        """Every few steps read the loss from the device, the only time the host waits for it."""
        now = self.progress
        if now.step % self.recipe.report_steps and now.step != self.recipe.steps:
            return
        now.train_loss = float(self._loss) / max(1, now.loss_count)
        now.loss_count, self._loss = 0, self._fresh_sum()
        if not math.isfinite(now.train_loss):
            raise CorpusmillError(
                f"the training loss is {now.train_loss!r}",
                where=f"step {now.step} of {self.recipe.steps}",
                expected="a finite loss",
                hint="lower learning_rate, or lengthen schedule.warmup",
            )
        seconds, before = time.monotonic(), self._since
        speed = (now.counted - before[1]) / max(seconds - before[0], 1e-9)
        self._since = (seconds, now.counted)
        rate = self.optimizer.param_groups[0]["lr"]
        now.curve.append((now.step, now.train_loss, rate))
        self.work.metrics(now.step, loss=now.train_loss, learning_rate=rate, **{f"{self.task.unit}_per_second": speed})
        self.work.progress(now.step, self.recipe.steps)

    def _validate(self) -> None:
        """Validate at the end and when another `validate_samples` have gone by; remember the best weights."""
        now, every = self.progress, self.recipe.validate_samples
        before = now.position - min(self.recipe.batch, now.position)
        if now.step < self.recipe.steps and not (every and now.position // every > before // every):
            return
        started = time.monotonic()
        self.model.eval()
        now.validation = self.task.validate(self.model, self.device)
        self.model.train()
        self._since = (self._since[0] + time.monotonic() - started, self._since[1])
        if now.validation:
            self.work.metrics(now.step, **{f"validation_{name}": value for name, value in now.validation.items()})
        if self.recipe.metric is not None:
            self._judge(now.validation[self.recipe.metric])

    def _judge(self, value: float) -> None:
        now = self.progress
        score = -value if self.recipe.metric == "loss" else value
        if now.best is not None and score <= now.best:
            now.waited += 1
            return
        now.best, now.best_step, now.waited = score, now.step, 0
        self.best = {name: tensor.clone() for name, tensor in checkpoint.parameters(self.model).items()}

    def _out_of_patience(self) -> bool:
        return 0 < self.recipe.patience <= self.progress.waited

    def _checkpoint(self) -> None:
        now = self.progress
        now.loss_sum = float(self._loss)
        self.work.checkpoint(
            now.step, lambda folder: checkpoint.save(folder, now, self.model, self.optimizer, self.best)
        )

    def _resume(self) -> None:
        folder = self.work.latest_checkpoint()
        if folder is not None:
            self.progress, best = checkpoint.restore(folder, self.model, self.optimizer)
            self.best = {name: tensor.to(self.device) for name, tensor in best.items()}
            self._loss += self.progress.loss_sum
            self._since = (time.monotonic(), self.progress.counted)
            for step, loss, rate in self.progress.curve:  # who listens from here on shall see the whole of it
                self.work.metrics(step, loss=loss, learning_rate=rate)
            self.work.progress(self.progress.step, self.recipe.steps)

    def _fresh_sum(self) -> torch.Tensor:
        import torch

        return torch.zeros((), dtype=torch.float64, device=self.device)


def make_optimizer(model: Any, recipe: Recipe) -> torch.optim.AdamW:
    """Return a fused AdamW; weight decay on matrices only, not on norms and biases (as in GPT-3)."""
    import torch

    matrices = [value for value in model.parameters() if value.requires_grad and value.dim() >= 2]
    others = [value for value in model.parameters() if value.requires_grad and value.dim() < 2]
    groups = [{"params": matrices, "weight_decay": recipe.weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(
        [group for group in groups if group["params"]], lr=recipe.learning_rate, betas=recipe.betas, fused=True
    )
