"""The loss without logits equals torch's own, and models it would misjudge are told apart."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from corpusmill_plugins.trainers import projection  # noqa: E402

ROWS = projection.ROWS


@pytest.mark.parametrize("positions", [1, ROWS - 1, ROWS, 2 * ROWS + 5])
@pytest.mark.parametrize("missing", [False, True])
def test_loss_and_gradients_are_those_of_torch(positions: int, missing: bool) -> None:
    """Sum and both gradients equal cross_entropy over whole logits, with and without positions left out."""
    torch.manual_seed(positions)
    hidden, weight = torch.randn(positions, 16), torch.randn(96, 16)
    targets = torch.randint(0, 96, (positions,))
    if missing:
        targets[::3] = -1
    found, expected = [], []
    for results, mine in ((found, True), (expected, False)):
        left, right = hidden.clone().requires_grad_(), weight.clone().requires_grad_()
        if mine:
            loss = projection.summed_loss(left, right, targets)
        else:
            logits = left @ right.t()
            loss = torch.nn.functional.cross_entropy(logits, targets, ignore_index=-1, reduction="sum")
        (loss / 7).backward()
        results += [loss.detach(), left.grad, right.grad]
    for one, other in zip(found, expected, strict=True):
        assert torch.allclose(one, other, rtol=1e-5, atol=1e-5)
    with torch.no_grad():
        assert torch.equal(projection.summed_loss(hidden, weight, targets), found[0])


def test_large_logits_stay_finite() -> None:
    """Logits beyond the range of exp in float32 give the loss that float64 gives."""
    hidden, weight = torch.full((3, 1), 1.0), torch.tensor([[500.0], [-500.0], [499.0]])
    targets = torch.tensor([1, 2, 0])
    expected = torch.nn.functional.cross_entropy(hidden.double() @ weight.double().t(), targets, reduction="sum")
    assert float(projection.summed_loss(hidden, weight, targets)) == pytest.approx(float(expected), rel=1e-6)


def test_a_frozen_output_layer_gets_no_gradient() -> None:
    """With an output matrix that is not trained, hidden states still get theirs."""
    hidden, weight = torch.randn(5, 8, requires_grad=True), torch.randn(32, 8)
    projection.summed_loss(hidden, weight, torch.arange(5)).backward()
    assert hidden.grad is not None
    assert weight.grad is None


def causal(kind: str, **settings: Any) -> Any:
    config = transformers.AutoConfig.for_model(kind, vocab_size=64, **settings)
    torch.manual_seed(0)
    return transformers.AutoModelForCausalLM.from_config(config)


SMALL = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}


@pytest.mark.parametrize(
    ("kind", "settings", "plain"),
    [
        ("llama", SMALL, True),
        ("gpt2", {"n_embd": 16, "n_layer": 1, "n_head": 2}, True),
        ("granite", {**SMALL, "logits_scaling": 4.0}, False),
        ("gemma2", {**SMALL, "num_key_value_heads": 2, "head_dim": 8, "final_logit_softcapping": 0.05}, False),
        ("phi", SMALL, False),
    ],
)
def test_scaled_capped_and_biased_logits_are_told_apart(kind: str, settings: dict[str, Any], plain: bool) -> None:
    """Only models whose logits are hidden states times a matrix are taken as such; the generator stays where it was."""
    model = causal(kind, **settings).train()
    before = torch.get_rng_state()
    assert projection.is_plain(model) is plain
    assert model.training
    assert torch.equal(torch.get_rng_state(), before)
