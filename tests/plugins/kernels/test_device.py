"""A GPU that the engine saw and torch cannot use."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from corpusmill import Context, CorpusmillError

torch = pytest.importorskip("torch")

from corpusmill_plugins.annotators.perplexity import Perplexity as Annotation  # noqa: E402
from corpusmill_plugins.evaluators.perplexity import Perplexity as Evaluation  # noqa: E402
from corpusmill_plugins.kernels.device import require  # noqa: E402
from corpusmill_plugins.trainers.causal_lm import CausalLanguageModel  # noqa: E402

NO_GPU = pytest.mark.skipif(torch.cuda.is_available(), reason="torch can use a GPU here")


def test_a_cpu_is_always_there() -> None:
    """Nothing is asked of torch for a step on the CPU."""
    require("cpu")


@NO_GPU
def test_an_annotator_says_so(model: Any) -> None:
    """Before the model is loaded, in words of its own instead of torch's, with what to do."""
    operator = Annotation(Annotation.Options(), Context(inputs={"model": model}, device="cuda"))
    with pytest.raises(CorpusmillError, match=r"torch .* cannot use the GPU that this step was given") as caught:
        operator.setup()
    assert "leave `gpus` out" in str(caught.value.hint)


@NO_GPU
def test_trainings_and_evaluations_say_so(tmp_path: Path, tokens: Any, model: Any, fakes: SimpleNamespace) -> None:
    """The same words wherever a model meets the device."""
    work = fakes.Work(tmp_path / "work")
    work.device = "cuda"
    with pytest.raises(CorpusmillError, match="cannot use the GPU"):
        Evaluation(Evaluation.Options()).run(SimpleNamespace(model=model, tokens=tokens), work)
    shape = {"type": "llama", "layers": 1, "hidden": 32, "heads": 2}
    trainer = CausalLanguageModel(CausalLanguageModel.Options(model=shape, steps=1), Context(step="model", seed=7))
    with pytest.raises(CorpusmillError, match="cannot use the GPU"):
        trainer.run(SimpleNamespace(tokens=tokens, model=None), work)
