"""Fine-tuning a loaded model to name the class of a text."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from corpusmill import CorpusmillError, Options, option
from corpusmill_plugins.trainers import backbone, labelled
from corpusmill_plugins.trainers.loop import Recipe
from corpusmill_plugins.trainers.order import derive
from corpusmill_plugins.trainers.task_trainer import TaskTrainer


class EarlyStopping(Options):
    """When to end before the last epoch; the weights of the best validation are the result."""

    metric: Literal["loss", "accuracy", "f1_macro"] = option("f1_macro", help="validation metric that decides")
    patience: int = option(2, ge=1, help="validations without a better one before training ends", unit="epochs")


class Classify(TaskTrainer):
    """Fine-tune a model with a new head to name the class of a text.

    Classes are the sorted labels of the training rows; their names go to `id2label` of config.json. Validates once
    an epoch where there is a validation split. Rows without a label are left out. Leaves a folder that
    `AutoModelForSequenceClassification.from_pretrained` loads, tokenizer included.
    """

    version = 2

    class Options(TaskTrainer.Options):
        """The label, and when to end, beside how to train."""

        label: str = option("label", help="column with the class of each document")
        early_stopping: EarlyStopping | None = option(None, help="end early and keep the best weights")

    def reads(self) -> tuple[str, ...]:
        """Text and label."""
        return (self.column, self.options.label)

    def prepare(self, inputs: Any, seed: int) -> tuple[labelled.NameClass, Any]:
        """The labelled texts, and the loaded backbone under a fresh head."""
        folder = Path(inputs.model.path)
        parts = self._texts(inputs.documents)
        classes = self._classes(parts["train"][1])
        model, tokenizer = self._model(folder, classes, derive(seed, "head"))
        return self._task(parts, classes, model, tokenizer), model

    def recipe(self, task: Any, device: str) -> Recipe:
        """As the options say; early stopping looks at one of the validation metrics."""
        stopping, recipe = self.options.early_stopping, super().recipe(task, device)
        return replace(recipe, metric=stopping.metric, patience=stopping.patience) if stopping else recipe

    def facts(self, inputs: Any, work: Any) -> dict[str, Any]:
        """What the model was made from."""
        return {**super().facts(inputs, work), "made_by": "train.classify"}

    def summary(self, task: Any) -> dict[str, Any]:
        """The classes, in the order of the head's outputs, beside the rows."""
        return {"classes": task.names, **super().summary(task)}

    def _texts(self, documents: Any) -> dict[str, tuple[list[str], list[str]]]:
        """Texts and labels of the roles the dataset has; data without splits is all for training."""
        column, label = self.column, self.options.label
        if not documents.splits:
            return {"train": labelled.read(documents, None, column, label)}
        names = [name for name in ("train", "validation") if name in documents.splits]
        return {"train": ([], []), **{name: labelled.read(documents, name, column, label) for name in names}}

    def _classes(self, labels: list[str]) -> list[str]:
        classes = sorted(set(labels))
        if len(classes) < 2:
            raise CorpusmillError(
                f"the training rows have {len(classes)} classes in column {self.options.label!r}: {classes!r}",
                where=f"step {self.context.step!r}",
                expected="a split `train` with at least two different labels",
            )
        return classes

    def _model(self, folder: Path, classes: list[str], seed: int) -> tuple[Any, Any]:
        """The loaded backbone under a fresh head, and its tokenizer; the head depends on the seed alone."""
        import torch

        tokenizer = backbone.load_tokenizer(folder)
        torch.manual_seed(seed)
        model = backbone.load(
            "AutoModelForSequenceClassification",
            folder,
            num_labels=len(classes),
            id2label=dict(enumerate(classes)),
            label2id={name: index for index, name in enumerate(classes)},
            ignore_mismatched_sizes=True,
        )
        return model, tokenizer

    def _task(self, parts: dict[str, Any], classes: list[str], model: Any, tokenizer: Any) -> labelled.NameClass:
        limit, pad = backbone.room(model, self.options.max_length), backbone.padding(model, tokenizer)
        rows = {
            name: labelled.encode(texts, labels, classes, tokenizer, limit, pad)
            for name, (texts, labels) in parts.items()
        }
        validation = rows.get("validation")
        if self.options.early_stopping and not validation:
            raise CorpusmillError(
                "early_stopping needs a validation split, and there is none",
                where=f"step {self.context.step!r}",
                expected="a split `validation` with at least one labelled row",
                hint="give split.by-hash a share for validation, or remove early_stopping",
            )
        return labelled.NameClass(rows["train"], validation, pad, classes, self.options.micro_batch)
