"""Checkpoints of a training: tensors in safetensors, numbers in JSON, no pickle."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


@dataclass
class Progress:
    """Where a training stands: all it needs beside tensors to go on as if it had never stopped.

    `position`: samples used so far, which fixes every later batch. `counted`: terms of the loss so far. `loss_sum`
    and `loss_count` add up since the last report. `validation`: the newest metrics. `best` and `best_step`: the best
    score and when; `waited`: validations since. `curve`: step, training loss and learning rate of each report.
    """

    step: int = 0
    position: int = 0
    counted: int = 0
    loss_sum: float = 0.0
    loss_count: int = 0
    train_loss: float | None = None
    validation: dict[str, float] = field(default_factory=dict)
    best: float | None = None
    best_step: int = 0
    waited: int = 0
    curve: list[tuple[int, float, float]] = field(default_factory=list)


def parameters(model: Any) -> dict[str, torch.Tensor]:
    """Return name -> parameter, tied ones once."""
    return {name: value.data for name, value in model.named_parameters()}


def device_of(model: Any) -> torch.device:
    """Return where a model lies: a training on the CPU shall not wake up a GPU that happens to be there."""
    device: torch.device = next(iter(model.parameters())).device
    return device


def save(folder: Path, progress: Progress, model: Any, optimizer: Any, best: dict[str, torch.Tensor]) -> None:
    """Fill a checkpoint folder: model, optimiser, generators, best weights so far, progress."""
    import torch
    from safetensors.torch import save_file

    names = {id(value): name for name, value in model.named_parameters()}
    state = {
        f"{key}.{names[id(parameter)]}": tensor.contiguous()
        for parameter, values in optimizer.state.items()
        for key, tensor in values.items()
    }
    generators = {"cpu": torch.get_rng_state()}
    if (device := device_of(model)).type == "cuda":
        generators["cuda"] = torch.cuda.get_rng_state(device)
    tensors = {name: value.contiguous() for name, value in parameters(model).items()}
    save_file(tensors, str(folder / "model.safetensors"))
    save_file(state, str(folder / "optimizer.safetensors"))
    save_file(generators, str(folder / "generators.safetensors"))
    if best:
        save_file(best, str(folder / "best.safetensors"))
    (folder / "progress.json").write_text(json.dumps(asdict(progress)))


def restore(folder: Path, model: Any, optimizer: Any) -> tuple[Progress, dict[str, torch.Tensor]]:
    """Put model, optimiser and generators back as `save` found them; return the progress and the best weights."""
    import torch
    from safetensors.torch import load_file

    set_parameters(model, load_file(str(folder / "model.safetensors")))
    state = load_file(str(folder / "optimizer.safetensors"))
    for name, parameter in model.named_parameters():
        keys = [key for key in ("step", "exp_avg", "exp_avg_sq") if f"{key}.{name}" in state]
        if keys:
            optimizer.state[parameter] = {key: state[f"{key}.{name}"].to(parameter.device) for key in keys}
    generators = load_file(str(folder / "generators.safetensors"))
    torch.set_rng_state(generators["cpu"])
    if "cuda" in generators and (device := device_of(model)).type == "cuda":
        torch.cuda.set_rng_state(generators["cuda"], device)
    best = folder / "best.safetensors"
    progress = Progress(**json.loads((folder / "progress.json").read_bytes()))
    return progress, load_file(str(best)) if best.is_file() else {}


def set_parameters(model: Any, values: dict[str, torch.Tensor]) -> None:
    """Copy named values into a model in place."""
    import torch

    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(values[name])
