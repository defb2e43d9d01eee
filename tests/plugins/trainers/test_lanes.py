"""Micro-batches side by side: the same gradients, in the same order, whatever the number of threads."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from corpusmill import Context

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from corpusmill_plugins.trainers.causal_lm import CausalLanguageModel  # noqa: E402
from corpusmill_plugins.trainers.lanes import Lanes  # noqa: E402

SHAPE = {"type": "llama", "layers": 2, "hidden": 32, "heads": 2}
QUICK: dict[str, Any] = {"steps": 5, "batch_tokens": 256, "micro_tokens": 64, "learning_rate": 5e-3}


@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_threads_leave_no_trace(dropout: float, tmp_path: Path, tokens: Any, fakes: SimpleNamespace) -> None:
    """With as many micro-batches as threads, one, two and four threads train the same bytes, dropout or not."""
    made = []
    for threads in (1, 2, 4):
        work = fakes.Work(tmp_path / str(threads))
        work.threads = threads
        options = CausalLanguageModel.Options(model={**SHAPE, "dropout": dropout}, **QUICK)
        operator = CausalLanguageModel(options, Context(step="model", seed=work.seed))
        summary = operator.run(SimpleNamespace(tokens=tokens, model=None), work)
        made.append((summary, (work.output / "model.safetensors").read_bytes()))
    if dropout:  # one lane draws for all, on as many threads as there are: sums may differ in their last digits
        assert made[1][0]["train_loss"] == pytest.approx(made[0][0]["train_loss"], rel=1e-4)
    else:
        assert made[0] == made[1] == made[2]


def lanes_of(model: Any, threads: int, batches: int, losses: Any) -> tuple[list[float], list[Any], Lanes]:
    lanes = Lanes(model, "cpu", threads, batches)
    before = torch.get_num_threads()
    try:
        with lanes.open():
            for _ in range(2):  # the first step watches the generator, the second takes all lanes
                model.zero_grad()
                values = lanes.backward(losses, [{"x": torch.full((1, 4), float(n))} for n in range(batches)], 3)
    finally:
        torch.set_num_threads(before)
    return [float(value) for value in values], [value.grad for value in model.parameters()], lanes


def test_losses_come_back_in_order() -> None:
    """Losses of all micro-batches come back in their order, also where they do not fill the last round of lanes."""
    model = torch.nn.Linear(4, 1, bias=False)
    with torch.no_grad():
        model.weight.fill_(1.0)
    values, gradients, lanes = lanes_of(model, 2, 5, lambda batch: model(batch["x"]).sum())
    assert lanes.most == 2
    assert values == [0.0, 4.0, 8.0, 12.0, 16.0]
    assert torch.allclose(gradients[0], torch.full((1, 4), 10.0 / 3))


def test_parameters_out_of_use_have_no_gradient() -> None:
    """A parameter that no loss touches keeps None, as torch's own backward leaves it."""
    model = torch.nn.ModuleDict({"used": torch.nn.Linear(4, 1), "unused": torch.nn.Linear(4, 1)})
    lanes_of(model, 2, 2, lambda batch: model["used"](batch["x"]).sum())
    assert model["used"].weight.grad is not None
    assert model["unused"].weight.grad is None


def test_a_model_that_draws_gets_one_lane() -> None:
    """Random numbers are drawn in order: the masks of two threads are those of one."""
    model = torch.nn.Sequential(torch.nn.Dropout(0.5), torch.nn.Linear(4, 1))
    found = []
    for threads in (1, 2):
        torch.manual_seed(3)
        found.append(lanes_of(model, threads, 6, lambda batch: model(batch["x"]).sum())[0])
    assert found[0] == found[1]


def test_a_failing_micro_batch_fails_the_step() -> None:
    """What a micro-batch raises on its thread is raised by the step."""
    model = torch.nn.Linear(4, 1)
    seen: list[int] = []

    def loss(batch: Any) -> Any:
        seen.append(1)
        if len(seen) > 3:
            raise FloatingPointError("no")
        return model(batch["x"]).sum()

    with pytest.raises(FloatingPointError, match="no"):
        lanes_of(model, 2, 2, loss)
