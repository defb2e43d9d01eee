"""train.causal-lm: it learns, resumes to the bit, and leaves a folder transformers loads."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError

from corpusmill import Context, CorpusmillError

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from corpusmill_plugins.trainers.causal_lm import CausalLanguageModel  # noqa: E402
from corpusmill_plugins.trainers.determinism import deterministic  # noqa: E402
from corpusmill_plugins.trainers.loop import Loop, Recipe  # noqa: E402
from corpusmill_plugins.trainers.next_token import NextToken  # noqa: E402
from corpusmill_plugins.trainers.schedule import Schedule  # noqa: E402

SHAPE = {"type": "llama", "layers": 2, "hidden": 32, "heads": 2}
QUICK: dict[str, Any] = {"model": SHAPE, "steps": 40, "batch_tokens": 256, "micro_tokens": 64, "learning_rate": 5e-3}


def train(tokens: Any, work: Any, start: Any = None, **options: Any) -> dict[str, Any]:
    operator = CausalLanguageModel(CausalLanguageModel.Options(**options), Context(step="model", seed=work.seed))
    return operator.run(SimpleNamespace(tokens=tokens, model=start), work)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_loss_falls_far_below_chance(kind: str, tmp_path: Path, tokens: Any, fakes: SimpleNamespace) -> None:
    """Forty small steps take training and validation loss from chance to less than half of it."""
    work = fakes.Work(tmp_path)
    summary = train(tokens, work, **{**QUICK, "model": {**SHAPE, "type": kind}})
    chance = math.log(tokens.vocabulary_size)
    losses = [values["loss"] for _, values in work.recorded if "loss" in values]
    assert losses == sorted(losses, reverse=True)
    assert summary["train_loss"] < chance / 2
    assert summary["validation_loss"] < chance / 2
    assert summary["validation_perplexity"] == pytest.approx(math.exp(summary["validation_loss"]))


def test_same_seed_same_bytes(tmp_path: Path, tokens: Any, fakes: SimpleNamespace) -> None:
    """Two trainings with one seed write the same files; another seed writes other weights."""
    results = []
    for number, seed in enumerate([7, 7, 8]):
        work = fakes.Work(tmp_path / str(number), seed=seed)
        train(tokens, work, **{**QUICK, "steps": 5})
        results.append(files(work.output))
    assert results[0] == results[1]
    assert results[0]["model.safetensors"] != results[2]["model.safetensors"]


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_resume_is_exact(kind: str, tmp_path: Path, tokens: Any, fakes: SimpleNamespace) -> None:
    """Stopped between reports and continued, with dropout: files and summary equal an uninterrupted training's."""
    options = {**QUICK, "steps": 17, "model": {**SHAPE, "type": kind, "dropout": 0.1}, "checkpoint_every": 4}
    straight, halted = fakes.Work(tmp_path / "straight"), fakes.Work(tmp_path / "halted", stop_after=7)
    expected = train(tokens, straight, **options)
    assert train(tokens, halted, **options)["stopped"]
    assert not files(halted.output)
    resumed = fakes.Work(tmp_path / "halted")
    assert train(tokens, resumed, **options) == expected
    assert files(resumed.output) == files(straight.output)
    assert resumed.recorded[0][0] == 10


def test_checkpoints_and_validations_do_not_change_the_result(
    tmp_path: Path, tokens: Any, fakes: SimpleNamespace
) -> None:
    """Options that say they do not affect the result change no byte of the model's folder."""
    often, never = fakes.Work(tmp_path / "often"), fakes.Work(tmp_path / "never")
    options = {**QUICK, "steps": 6, "model": {**SHAPE, "dropout": 0.1}}
    train(tokens, often, **options, checkpoint_every=1, evaluate_every=1)
    train(tokens, never, **options, checkpoint_every=0, evaluate_every=0)
    assert sum("validation_loss" in values for _, values in often.recorded) == 6
    assert files(often.output) == files(never.output)


def test_checkpoints_hold_no_pickle(tmp_path: Path, tokens: Any, fakes: SimpleNamespace) -> None:
    """A checkpoint is safetensors and JSON."""
    work = fakes.Work(tmp_path)
    train(tokens, work, **{**QUICK, "steps": 4}, checkpoint_every=2)
    assert {path.suffix for path in work.latest_checkpoint().iterdir()} == {".safetensors", ".json"}


def gradients(tokens: Any, work: Any, micro: int) -> torch.Tensor:
    """The gradient of one step of 16 windows, `micro` at a time."""
    task = NextToken(tokens.windows("train"), None, 4)
    config = transformers.LlamaConfig(
        vocab_size=320, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2
    )
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(config)
    recipe = Recipe(samples=16, batch=16, micro=micro, learning_rate=1e-3, schedule=Schedule(), clip=0)
    found: list[torch.Tensor] = []
    with deterministic(1):
        loop = Loop(task, model, recipe, work, 3)
        update = loop.optimizer.step
        loop.optimizer.step = lambda: (
            found.append(torch.cat([value.grad.flatten() for value in model.parameters()])),
            update(),
        )
        loop.run()
    return found[0]


def test_accumulated_gradients_equal_one_batch(tmp_path: Path, tokens: Any, fakes: SimpleNamespace) -> None:
    """Sixteen windows at once or in uneven pieces give the same gradient: the ratio of norms is 1.000."""
    whole = gradients(tokens, fakes.Work(tmp_path / "whole"), 16)
    for micro in (1, 5):
        pieces = gradients(tokens, fakes.Work(tmp_path / str(micro)), micro)
        assert float(pieces.norm() / whole.norm()) == pytest.approx(1.0, abs=5e-4)
        assert torch.allclose(pieces, whole, atol=1e-6)


def test_folder_loads_and_generates(tmp_path: Path, tokens: Any, fakes: SimpleNamespace) -> None:
    """transformers loads model and tokenizer from the folder, and they fit each other."""
    work = fakes.Work(tmp_path)
    summary = train(tokens, work, **QUICK)
    model = transformers.AutoModelForCausalLM.from_pretrained(str(work.output), local_files_only=True)
    tokenizer = transformers.AutoTokenizer.from_pretrained(str(work.output), local_files_only=True)
    assert sum(value.numel() for value in model.parameters()) == summary["parameters"]
    assert (model.config.eos_token_id, model.dtype) == (tokenizer.eos_token_id, torch.float32)
    output = model.generate(**tokenizer("the miller", return_tensors="pt"), max_new_tokens=3, do_sample=False)
    assert output.shape[1] > tokenizer("the miller", return_tensors="pt")["input_ids"].shape[1]
    facts = json.loads((work.output / "corpusmill.json").read_bytes())
    assert (facts["tokens"], facts["seed"], facts["options"]["steps"]) == (tokens.digest, 7, 40)
    assert "checkpoint_every" not in facts["options"]


def test_training_goes_on_from_a_model(tmp_path: Path, tokens: Any, model: Any, fakes: SimpleNamespace) -> None:
    """With the port `model`, the first loss is the loaded model's, far below chance."""
    work = fakes.Work(tmp_path / "on")
    train(tokens, work, start=model, steps=10, batch_tokens=256, learning_rate=1e-6)
    assert work.recorded[0][1]["loss"] < 0.9 * math.log(tokens.vocabulary_size)


def test_foreign_tokenizer_is_refused(tmp_path: Path, tokens: Any, model: Any, fakes: SimpleNamespace) -> None:
    """A model with another tokenizer than the tokens' is an error that says what to do."""
    place = model.path / "tokenizer.json"
    place.write_text(place.read_text().replace("<|pad|>", "<|other|>"))
    with pytest.raises(CorpusmillError, match="different tokenizers"):
        train(tokens, fakes.Work(tmp_path / "on"), start=model, steps=1)


@pytest.mark.parametrize("both", [True, False])
def test_model_comes_from_one_place(
    both: bool, tmp_path: Path, tokens: Any, model: Any, fakes: SimpleNamespace
) -> None:
    """A model given by option and port, or by neither, is an error."""
    options = {"model": SHAPE} if both else {}
    with pytest.raises(CorpusmillError, match="given twice" if both else "no model"):
        train(tokens, fakes.Work(tmp_path / "on"), start=model if both else None, steps=1, **options)


def test_divergence_is_told(tmp_path: Path, tokens: Any, fakes: SimpleNamespace) -> None:
    """A loss that is not finite ends training with advice and without a model."""
    work = fakes.Work(tmp_path)
    with pytest.raises(CorpusmillError, match="nan"):
        train(tokens, work, **{**QUICK, "learning_rate": 1e30, "clip": 0})
    assert not files(work.output)


def test_tokens_without_train_are_refused(tmp_path: Path, tokens: Any, fakes: SimpleNamespace) -> None:
    """Tokens that have splits but none named train are an error."""
    tokens.only = ("validation",)
    with pytest.raises(CorpusmillError, match="no training tokens"):
        train(tokens, fakes.Work(tmp_path), **QUICK)


@pytest.mark.parametrize("shape", [{"hidden": 33, "heads": 3}, {"heads": 4, "kv_heads": 3}, {"type": "bert"}])
def test_impossible_shapes_are_refused(shape: dict[str, Any]) -> None:
    """Shapes that cannot be built fail when the spec is checked."""
    with pytest.raises(ValidationError):
        CausalLanguageModel.Options(model=shape)


def test_torch_settings_come_back() -> None:
    """Training leaves torch's threads, flags and generator as they were."""
    before = (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled(), torch.get_rng_state())
    with deterministic(before[0] + 1):
        torch.rand(3)
        assert torch.are_deterministic_algorithms_enabled()
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == before[:2]
    assert torch.equal(torch.get_rng_state(), before[2])


def test_bfloat16_trains_float32_weights(tmp_path: Path, tokens: Any, fakes: SimpleNamespace) -> None:
    """In bfloat16 arithmetic the loss falls too, differs from float32's, and the saved weights are float32."""
    works = {precision: fakes.Work(tmp_path / precision) for precision in ("float32", "bfloat16")}
    losses = {
        precision: train(tokens, work, **{**QUICK, "steps": 12}, precision=precision)["train_loss"]
        for precision, work in works.items()
    }
    assert losses["bfloat16"] != losses["float32"]
    assert losses["bfloat16"] == pytest.approx(losses["float32"], rel=0.05)
    model = transformers.AutoModelForCausalLM.from_pretrained(str(works["bfloat16"].output), local_files_only=True)
    assert model.dtype == torch.float32
