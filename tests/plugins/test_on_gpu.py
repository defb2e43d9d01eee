"""Models on a GPU: the numbers of the CPU, trainings that resume to the bit. Skipped where torch sees no GPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from corpusmill import Context

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU on this machine")

from corpusmill_plugins.annotators.perplexity import Perplexity as Annotation  # noqa: E402
from corpusmill_plugins.evaluators.perplexity import Perplexity as Evaluation  # noqa: E402
from corpusmill_plugins.trainers.causal_lm import CausalLanguageModel  # noqa: E402

SHAPE = {"type": "llama", "layers": 2, "hidden": 64, "heads": 2, "dropout": 0.1}
QUICK: dict[str, Any] = {"model": SHAPE, "steps": 17, "batch_tokens": 256, "micro_tokens": 64, "learning_rate": 5e-3}


@pytest.fixture(autouse=True)
def _repeatable(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in every worker of the engine (`corpusmill.runner.worker`)."""
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


def annotate(model: Any, device: str, texts: list[str], rows: int) -> list[float | None]:
    operator = Annotation(Annotation.Options(decimals=12), Context(inputs={"model": model}, device=device))
    operator.setup()
    column: list[float | None] = []
    for batch in pa.table({"text": pa.array(texts, pa.large_string())}).to_batches(max_chunksize=rows):
        column += operator.annotate(batch)["perplexity"].to_pylist()
    return column


def train(tokens: Any, work: Any, device: str = "cuda", **options: Any) -> dict[str, Any]:
    work.device = device
    operator = CausalLanguageModel(
        CausalLanguageModel.Options(**{**QUICK, **options}), Context(step="model", seed=work.seed)
    )
    return operator.run(SimpleNamespace(tokens=tokens, model=None), work)


@pytest.mark.parametrize("rows", [1, 7, 1000])
def test_annotated_perplexity_is_that_of_the_cpu(rows: int, model: Any, sentences: list[str]) -> None:
    """The same column to 1e-5, in batches of any size, short and long documents side by side."""
    texts = [text * (1 + number % 9) for number, text in enumerate(sentences)]
    expected = annotate(model, "cpu", texts, 1000)
    assert annotate(model, "cuda", texts, rows) == pytest.approx(expected, rel=1e-5)


def test_evaluated_perplexity_is_that_of_the_cpu(
    tmp_path: Path, tokens: Any, model: Any, fakes: SimpleNamespace
) -> None:
    """Every split's loss to 1e-5."""
    found = {}
    for device in ("cpu", "cuda"):
        work = fakes.Work(tmp_path / device)
        work.device = device
        found[device] = Evaluation(Evaluation.Options()).run(SimpleNamespace(model=model, tokens=tokens), work)
    for label, metrics in found["cpu"]["splits"].items():
        assert found["cuda"]["splits"][label] == pytest.approx(metrics, rel=1e-5)


def test_a_training_in_float32_follows_that_of_the_cpu(tmp_path: Path, tokens: Any, fakes: SimpleNamespace) -> None:
    """Without dropout, whose draws differ between devices, the first steps have the same losses."""
    options = {"model": {**SHAPE, "dropout": 0.0}, "steps": 5, "precision": "float32"}
    losses = [train(tokens, fakes.Work(tmp_path / one), one, **options)["train_loss"] for one in ("cpu", "cuda")]
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)


@pytest.mark.parametrize(
    "options", [{"precision": "float32"}, {}, {"compile": True}], ids=["float32", "bf16", "compiled"]
)
def test_a_training_learns_and_resumes_to_the_bit(
    options: dict[str, Any], tmp_path: Path, tokens: Any, fakes: SimpleNamespace
) -> None:
    """With dropout, in float32, bfloat16 and compiled: stopped after seven steps and continued, the same files."""
    straight, halted = fakes.Work(tmp_path / "straight"), fakes.Work(tmp_path / "halted", stop_after=7)
    expected = train(tokens, straight, **options)
    assert expected["train_loss"] < 5
    assert train(tokens, halted, **options)["stopped"]
    resumed = fakes.Work(tmp_path / "halted")
    assert train(tokens, resumed, **options) == expected
    files = [{one.name: one.read_bytes() for one in work.output.iterdir()} for work in (straight, resumed)]
    assert files[0] == files[1]


def test_a_training_on_the_cpu_leaves_the_gpu_alone(tmp_path: Path, tokens: Any, fakes: SimpleNamespace) -> None:
    """Its checkpoints ask nothing of CUDA, which would take memory of a GPU that the step never asked for."""
    program = (
        "import torch, sys; from corpusmill_plugins.trainers import checkpoint; from pathlib import Path; "
        "model = torch.nn.Linear(2, 2); optimizer = torch.optim.AdamW(model.parameters()); "
        "checkpoint.save(Path('.'), checkpoint.Progress(), model, optimizer, {}); "
        "sys.exit(torch.cuda.is_initialized())"
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True, env=dict(os.environ))
    assert json.loads((tmp_path / "progress.json").read_bytes())["step"] == 0
