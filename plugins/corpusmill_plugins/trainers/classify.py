"""Fine-tuning a loaded model to name the class of a text."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

from corpusmill import CorpusmillError, Documents, Model, Options, Port, Trainer, option
from corpusmill_plugins.trainers import backbone, labelled
from corpusmill_plugins.trainers.determinism import deterministic
from corpusmill_plugins.trainers.loop import Loop, Recipe
from corpusmill_plugins.trainers.order import derive
from corpusmill_plugins.trainers.schedule import Schedule


class EarlyStopping(Options):
    """When to end before the last epoch; the weights of the best validation are the result."""

    metric: Literal["loss", "accuracy", "f1_macro"] = option("f1_macro", help="validation metric that decides")
    patience: int = option(2, ge=1, help="validations without a better one before training ends", unit="epochs")


class Classify(Trainer):
    """Fine-tune a model with a new head to name the class of a text.

    Classes are the sorted labels of the training rows; their names go to `id2label` of config.json. Validates once
    an epoch where there is a validation split. Rows without a label are left out. Leaves a folder that
    `AutoModelForSequenceClassification.from_pretrained` loads, tokenizer included.
    """

    version = 1
    depends = ("torch", "transformers")
    inputs: ClassVar[dict[str, type[Port] | Port]] = {
        "documents": Documents(roles=("train", "validation?")),
        "model": Model(),
    }

    class Options(Trainer.Options):
        """The label, and how to train."""

        label: str = option("label", help="column with the class of each document")
        epochs: int = option(3, ge=1, help="times each training document is used", unit="epochs")
        learning_rate: float = option(2e-5, gt=0, help="highest learning rate")
        batch_size: int = option(16, ge=1, help="documents in one update", unit="documents")
        micro_batch: int = option(16, ge=1, help="documents through the model at a time", unit="documents")
        max_length: int = option(256, ge=2, help="tokens of a document that are used", unit="tokens")
        schedule: Schedule = option(
            default_factory=lambda: Schedule(type="linear", warmup=0.1, final=0.0), help="warm-up and decay"
        )
        weight_decay: float = option(0.01, ge=0, help="decay of matrices by AdamW")
        clip: float = option(1.0, ge=0, help="largest norm of the gradient; 0 is no limit")
        precision: Literal["auto", "float32", "bfloat16"] = option(
            "auto", help="arithmetic of the model; auto is bfloat16 on a GPU, float32 on a CPU"
        )
        early_stopping: EarlyStopping | None = option(None, help="end early and keep the best weights")
        checkpoint_every: int = option(
            100, ge=0, help="updates between checkpoints; 0 is never", unit="updates", affects_result=False
        )

    def reads(self) -> tuple[str, ...]:
        """Text and label."""
        return (self.column, self.options.label)

    def run(self, inputs: Any, work: Any) -> dict[str, Any]:
        """Train and save; return losses, scores and counts."""
        folder = Path(inputs.model.path)
        seed = derive(work.seed, self.context.step)
        with deterministic(work.threads):
            parts = self._texts(inputs.documents)
            classes = self._classes(parts["train"][1])
            model, tokenizer = self._model(folder, classes, derive(seed, "head"))
            task = self._task(parts, classes, model, tokenizer)
            summary = Loop(task, model, self._recipe(task, work.device), work, seed).run()
            if not summary["stopped"]:
                backbone.save(model.cpu(), folder, work.output, self._facts(inputs, work))
        return {**summary, "classes": classes, "train_documents": task.samples}

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
        # Decoders find a text's last token by this id; without one they refuse batches.
        known = (tokenizer.pad_token_id, model.config.pad_token_id, tokenizer.eos_token_id, 0)
        model.config.pad_token_id = next(number for number in known if number is not None)
        return model, tokenizer

    def _task(self, parts: dict[str, Any], classes: list[str], model: Any, tokenizer: Any) -> labelled.NameClass:
        limit = min(self.options.max_length, getattr(model.config, "max_position_embeddings", None) or 1 << 30)
        pad = model.config.pad_token_id
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

    def _recipe(self, task: labelled.NameClass, device: str) -> Recipe:
        options, stopping = self.options, self.options.early_stopping
        return Recipe(
            samples=options.epochs * task.samples,
            batch=options.batch_size,
            micro=min(options.batch_size, options.micro_batch),
            learning_rate=options.learning_rate,
            schedule=options.schedule,
            weight_decay=options.weight_decay,
            betas=(0.9, 0.999),
            clip=options.clip,
            bfloat16=options.precision == "bfloat16" or (options.precision == "auto" and device == "cuda"),
            validate_samples=task.samples,
            checkpoint_steps=options.checkpoint_every,
            metric=stopping.metric if stopping else None,
            patience=stopping.patience if stopping else 0,
        )

    def _facts(self, inputs: Any, work: Any) -> dict[str, Any]:
        return {
            "made_by": "train.classify",
            "seed": work.seed,
            "documents": inputs.documents.digest,
            "model": inputs.model.digest,
            "options": backbone.recorded(self.options),
        }
