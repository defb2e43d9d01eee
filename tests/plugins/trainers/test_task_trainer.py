"""TaskTrainer: encode and loss are all a task says; batches, counts, metrics, errors and files are the base's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from corpusmill import Context, CorpusmillError

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from corpusmill_plugins import trainers  # noqa: E402
from corpusmill_plugins.trainers.encoded import collate  # noqa: E402


class Repeat(trainers.TaskTrainer):
    """Learns the text itself; rows that say "skip" are left out."""

    unit = "tokens"

    def encode(self, row: Any, tokenizer: Any) -> Any:
        ids = tokenizer(row["text"])["input_ids"]
        return None if row["text"] == "skip" else {"input_ids": ids, "labels": ids}

    def count(self, batch: Any) -> int:
        return int((batch["labels"][:, 1:] >= 0).sum())

    def loss(self, output: Any, batch: Any) -> Any:
        logits, labels = output.logits[:, :-1].float(), batch["labels"][:, 1:]
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")

    def scores(self, output: Any, batch: Any) -> dict[str, float]:
        labels = batch["labels"][:, 1:]
        return {"hits": float(((output.logits[:, :-1].argmax(-1) == labels) & (labels >= 0)).sum())}


@pytest.fixture
def documents(fakes: SimpleNamespace) -> Any:
    """Texts of very different lengths, a null, an empty one, and one that is left out."""
    texts = ["a", "the miller reads a book " * 3, "skip", None, "", "磨坊在河边", "the river", "a fine book"]
    rows = [{"text": text, "split": "train"} for text in texts]
    return fakes.Documents([*rows, {"text": "the book", "split": "validation"}, {"text": "a", "split": "validation"}])


def train(documents: Any, model: Any, work: Any, operator: Any = Repeat, **options: Any) -> dict[str, Any]:
    given = {"epochs": 2, "batch_size": 4, "learning_rate": 1e-2, "max_length": 16, **options}
    made = operator(operator.Options(**given), Context(step="tuned", seed=work.seed))
    return made.run(SimpleNamespace(documents=documents, model=model), work)  # type: ignore[no-any-return]


def test_a_task_trains_and_leaves_a_model(tmp_path: Path, documents: Any, model: Any, fakes: SimpleNamespace) -> None:
    """Counts are the task's own, metrics are means over them, and transformers loads the folder."""
    work = fakes.Work(tmp_path)
    summary = train(documents, model, work)
    assert (summary["train_documents"], summary["samples"]) == (7, 14)
    assert 0 < summary["validation_loss"] < 20
    assert 0 <= summary["validation_hits"] <= 1
    assert summary["tokens"] > 0
    loaded = transformers.AutoModelForCausalLM.from_pretrained(work.output, local_files_only=True)
    assert loaded.num_parameters() > 0


def test_a_step_does_not_depend_on_the_cut(tmp_path: Path, documents: Any, model: Any, fakes: SimpleNamespace) -> None:
    """One document at a time and all at once give the same loss: sums over counts, padding that counts for nothing."""
    found = [
        train(documents, model, fakes.Work(tmp_path / str(size)), micro_batch=size, batch_size=8, epochs=1)
        for size in (1, 8)
    ]
    assert found[0]["tokens"] == found[1]["tokens"]
    assert found[0]["train_loss"] == pytest.approx(found[1]["train_loss"], rel=1e-4)


def test_batches_are_padded_by_name() -> None:
    """Labels with -100, all else with the padding token; an empty text is one token of padding that is seen."""
    samples = [
        {"input_ids": np.array([5, 6], np.int32), "labels": np.array([5], np.int32), "stars": 1.5, "topic": 2},
        {"input_ids": np.array([], np.int32), "labels": np.array([], np.int32), "stars": 0.0, "topic": 3},
    ]
    batch = collate(samples, pad=9)
    assert batch["input_ids"].tolist() == [[5, 6], [9, 9]]
    assert batch["attention_mask"].tolist() == [[1, 1], [1, 0]]
    assert batch["labels"].tolist() == [[5], [-100]]
    assert (batch["stars"].dtype, batch["topic"].dtype) == (torch.float32, torch.int64)


@pytest.mark.parametrize(
    ("made", "what", "expected"),
    [
        ({"labels": [1]}, "encode() of Wrong returned {'labels': 'a list'}", "a list `input_ids`"),
        ({"input_ids": [1], "x": 1}, "{'input_ids': 'a list', 'x': 'a whole number'}", "'x': 'a fraction'"),
        ({"input_ids": [1]}, "encode() of Wrong returned {'input_ids': 'a list'}", "as for the first row"),
    ],
)
def test_samples_have_one_shape(
    tmp_path: Path, documents: Any, model: Any, fakes: SimpleNamespace, made: Any, what: str, expected: str
) -> None:
    """A row that is encoded otherwise than the first is named with what it was to have."""

    class Wrong(Repeat):
        def encode(self, row: Any, tokenizer: Any) -> Any:
            return {"input_ids": [1], "x": 0.5} if row["text"] == "a" and "input_ids" in made else made

    with pytest.raises(CorpusmillError) as caught:
        train(documents, model, fakes.Work(tmp_path), Wrong)
    assert what in caught.value.what
    assert caught.value.where == "step 'tuned'"
    assert expected in (caught.value.expected or "")


def test_no_rows_are_an_error(tmp_path: Path, model: Any, fakes: SimpleNamespace) -> None:
    """Where encode() takes none of them, too."""
    with pytest.raises(CorpusmillError, match="there are no training rows"):
        train(fakes.Documents([{"text": "skip", "split": "train"}]), model, fakes.Work(tmp_path))


def test_the_doorway_loads_on_use() -> None:
    """Every public name is there; importing the package loads no torch, and no module of the family."""
    assert {name for name in trainers.__all__ if getattr(trainers, name).__name__ == name or name == "Batch"} == set(
        trainers.__all__
    )
    program = (
        "import sys\nimport corpusmill_plugins.trainers\n"
        "found = [name for name in sys.modules if name == 'torch' or name.startswith('corpusmill_plugins.trainers.')]\n"
        "assert not found, found\nfrom corpusmill_plugins.trainers import TaskTrainer, Task\n"
        "assert 'torch' not in sys.modules and 'transformers' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with pytest.raises(AttributeError, match="Oracle"):
        trainers.Oracle  # noqa: B018
