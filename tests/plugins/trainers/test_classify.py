"""train.classify and evaluate.classification: a loaded model learns labels and is scored on them."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from corpusmill import Context, CorpusmillError

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from corpusmill_plugins.evaluators.classification import Classification  # noqa: E402
from corpusmill_plugins.trainers import labelled  # noqa: E402
from corpusmill_plugins.trainers.classify import Classify  # noqa: E402
from corpusmill_plugins.trainers.determinism import deterministic  # noqa: E402
from corpusmill_plugins.trainers.loop import Loop, Recipe  # noqa: E402
from corpusmill_plugins.trainers.schedule import Schedule  # noqa: E402

QUICK: dict[str, Any] = {"epochs": 6, "learning_rate": 5e-3, "batch_size": 8, "max_length": 32}


@pytest.fixture
def reviews(fakes: SimpleNamespace) -> Any:
    """Short reviews, two thirds of them good, in two languages; validation and test say the same in other words."""
    good = ["a fine {}", "I love this {}", "这个{}很好", "the best {} of all"]
    bad = ["a bad {}", "这个{}太差"]
    things = ["book", "film", "茶", "river", "letter", "baker", "judge", "朋友", "miller", "teacher"]
    rows = []
    for number, thing in enumerate(things):
        split = ("train", "train", "train", "validation", "test")[number % 5]
        for pattern in good + bad:
            label = "good" if pattern in good else "bad"
            rows.append({"text": pattern.format(thing), "label": label, "split": split})
    rows.append({"text": "no label here", "label": None, "split": "train"})
    rows.append({"text": None, "label": "bad", "split": "train"})
    return fakes.Documents(rows)


def train(documents: Any, model: Any, work: Any, **options: Any) -> dict[str, Any]:
    operator = Classify(Classify.Options(**{**QUICK, **options}), Context(step="finetune", seed=work.seed))
    return operator.run(SimpleNamespace(documents=documents, model=model), work)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_beats_the_majority(tmp_path: Path, reviews: Any, model: Any, fakes: SimpleNamespace) -> None:
    """On the test split the fine-tuned model is better than always naming the most frequent class."""
    work = fakes.Work(tmp_path / "tuned")
    summary = train(reviews, model, work)
    assert (summary["classes"], summary["train_documents"]) == (["bad", "good"], 37)
    tuned = SimpleNamespace(path=work.output, digest="f" * 32)
    scores = Classification().run(SimpleNamespace(model=tuned, documents=reviews), fakes.Work(tmp_path / "score"))
    test, validation = scores["splits"]["test"], scores["splits"]["validation"]
    assert test["majority_baseline"] == pytest.approx(2 / 3)
    assert test["accuracy"] > test["majority_baseline"]
    assert validation["accuracy"] == pytest.approx(summary["validation_accuracy"])
    assert validation["f1_macro"] == pytest.approx(summary["validation_f1_macro"])


def test_scores_do_not_depend_on_the_batch(tmp_path: Path, reviews: Any, model: Any, fakes: SimpleNamespace) -> None:
    """The evaluator gives the same numbers one document at a time and all at once."""
    work = fakes.Work(tmp_path / "tuned")
    train(reviews, model, work, epochs=1)
    inputs = SimpleNamespace(model=SimpleNamespace(path=work.output), documents=reviews)
    one, all_ = (
        Classification(Classification.Options(batch_size=size)).run(inputs, fakes.Work(tmp_path / str(size)))
        for size in (1, 64)
    )
    assert one == all_


def test_folder_loads_with_names(tmp_path: Path, reviews: Any, model: Any, fakes: SimpleNamespace) -> None:
    """transformers loads the folder; the configuration names the classes and the tokenizer lies beside."""
    work = fakes.Work(tmp_path / "tuned")
    train(reviews, model, work, epochs=1)
    loaded = transformers.AutoModelForSequenceClassification.from_pretrained(str(work.output), local_files_only=True)
    assert loaded.config.id2label == {0: "bad", 1: "good"}
    assert transformers.AutoTokenizer.from_pretrained(str(work.output), local_files_only=True).vocab_size == 320
    assert json.loads((work.output / "corpusmill.json").read_bytes())["model"] == model.digest


def test_resume_is_exact(tmp_path: Path, reviews: Any, model: Any, fakes: SimpleNamespace) -> None:
    """Stopped in the middle of an epoch and continued, best weights and patience included: the same bytes."""
    options = {"early_stopping": {"metric": "loss", "patience": 2}, "epochs": 4, "checkpoint_every": 3}
    straight, halted = fakes.Work(tmp_path / "straight"), fakes.Work(tmp_path / "halted", stop_after=11)
    expected = train(reviews, model, straight, **options)
    assert train(reviews, model, halted, **options)["stopped"]
    resumed = fakes.Work(tmp_path / "halted")
    assert train(reviews, model, resumed, **options) == expected
    assert files(resumed.output) == files(straight.output)


def test_early_stopping_keeps_the_best(tmp_path: Path, reviews: Any, model: Any, fakes: SimpleNamespace) -> None:
    """Training ends after `patience` worse validations, and the weights of the best one are the result."""
    work = fakes.Work(tmp_path / "tuned")
    stopping = {"metric": "loss", "patience": 2}
    summary = train(reviews, model, work, epochs=60, learning_rate=2e-2, early_stopping=stopping)
    losses = [values["validation_loss"] for _, values in work.recorded if "validation_loss" in values]
    steps = [step for step, values in work.recorded if "validation_loss" in values]
    assert len(losses) < 60
    assert summary["best_step"] == steps[int(np.argmin(losses))]
    assert np.argmin(losses) == len(losses) - 3


def test_early_stopping_needs_validation(tmp_path: Path, reviews: Any, model: Any, fakes: SimpleNamespace) -> None:
    """Early stopping without a validation split is an error before any training."""
    del reviews.splits["validation"]
    with pytest.raises(CorpusmillError, match="early_stopping needs"):
        train(reviews, model, fakes.Work(tmp_path / "tuned"), early_stopping={})


def test_one_class_is_refused(tmp_path: Path, model: Any, fakes: SimpleNamespace) -> None:
    """One label teaches nothing, and the error shows what was found."""
    with pytest.raises(CorpusmillError, match="1 classes"):
        train(fakes.Documents([{"text": "a", "label": "x"}]), model, fakes.Work(tmp_path / "tuned"))


def bert(folder: Path, tokenizer: Any) -> Any:
    """A tiny encoder with a pooled head."""
    config = transformers.BertConfig(
        vocab_size=320, hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2
    )
    transformers.BertModel(config).save_pretrained(str(folder))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_bytes((tokenizer.path / name).read_bytes())
    return SimpleNamespace(path=folder, digest="b" * 32)


def test_encoders_are_tuned_too(tmp_path: Path, reviews: Any, tokenizer: Any, fakes: SimpleNamespace) -> None:
    """A BERT body gets a new head, whose fresh weights depend on the seed alone."""
    body = bert(tmp_path / "bert", tokenizer)
    works = [fakes.Work(tmp_path / str(number)) for number in range(2)]
    for work in works:
        torch.rand(3)
        train(reviews, body, work, epochs=1)
    assert files(works[0].output) == files(works[1].output)


def test_models_without_padding_token(tmp_path: Path, reviews: Any, model: Any, fakes: SimpleNamespace) -> None:
    """A decoder whose tokenizer and configuration name no padding trains in batches nevertheless."""
    for name, key in (("config.json", "pad_token_id"), ("tokenizer_config.json", "pad_token")):
        values = json.loads((model.path / name).read_bytes())
        values.pop(key)
        (model.path / name).write_text(json.dumps(values))
    assert train(reviews, model, fakes.Work(tmp_path / "tuned"), epochs=1)["samples"] == 37


def gradient_norm(reviews: Any, body: Any, micro: int, work: Any) -> float:
    """The norm of the first gradient for a batch of 12, `micro` at a time."""
    operator = Classify(Classify.Options(), Context(seed=1))
    with deterministic(1):
        network, tokenizer = operator._model(body.path, ["bad", "good"], 5)
        network.config.hidden_dropout_prob = network.config.attention_probs_dropout_prob = 0.0
        for module in network.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        rows = labelled.encode(*labelled.read(reviews, "train", "text", "label"), ["bad", "good"], tokenizer, 32, 1)
        task = labelled.NameClass(rows, None, 1, ["bad", "good"], 4)
        recipe = Recipe(samples=12, batch=12, micro=micro, learning_rate=1e-3, schedule=Schedule(), clip=0)
        loop = Loop(task, network, recipe, work, 1)
        norms: list[float] = []
        loop.optimizer.step = lambda: norms.append(
            float(torch.cat([value.grad.flatten() for value in network.parameters()]).norm())
        )
        loop.run()
    return norms[0]


def test_accumulation_does_not_scale_a_head(
    tmp_path: Path, reviews: Any, tokenizer: Any, fakes: SimpleNamespace
) -> None:
    """A BERT head's gradient is the same for 12 at once and 3 x 4 (transformers' Trainer gives a ratio of 3)."""
    body = bert(tmp_path / "bert", tokenizer)
    whole = gradient_norm(reviews, body, 12, fakes.Work(tmp_path / "whole"))
    pieces = gradient_norm(reviews, body, 4, fakes.Work(tmp_path / "pieces"))
    assert pieces / whole == pytest.approx(1.0, abs=5e-4)
