"""A trainer made of one task: it says what a row is and what a mistake costs; the rest is here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from corpusmill import CorpusmillError, Documents, Model, Port, Trainer, option
from corpusmill_plugins.trainers import backbone
from corpusmill_plugins.trainers.determinism import deterministic
from corpusmill_plugins.trainers.encoded import EncodedRows, encode_rows
from corpusmill_plugins.trainers.loop import Loop, Recipe
from corpusmill_plugins.trainers.order import derive
from corpusmill_plugins.trainers.schedule import Schedule

if TYPE_CHECKING:
    import torch

    from corpusmill_plugins.trainers.task import Batch, Task


class TaskTrainer(Trainer):
    """Trains a loaded model on rows by the built-in loop. A subclass defines `encode` and `loss`.

    Options, batches, accumulation, schedule, validation, checkpoints, exact resume and saving are taken care of. The
    artifact is a folder that transformers loads, tokenizer included. Without splits all rows are for training;
    otherwise the split `train` is, and `validation`, where there is one, gives the validation metrics.
    """

    depends = ("torch", "transformers")
    inputs: ClassVar[dict[str, type[Port] | Port]] = {
        "documents": Documents(roles=("train", "validation?")),
        "model": Model(),
    }
    model_class: ClassVar[str] = "AutoModelForCausalLM"
    """The class of transformers that loads the port `model`."""
    unit: ClassVar[str] = "samples"
    """What `count` counts: the name of the metric of throughput."""

    class Options(Trainer.Options):
        """How to train."""

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
        checkpoint_every: int = option(
            100, ge=0, help="updates between checkpoints; 0 is never", unit="updates", affects_result=False
        )

    def reads(self) -> tuple[str, ...]:
        """The text; a subclass adds the columns that its rows need."""
        return (self.column,)

    def encode(self, row: Mapping[str, Any], tokenizer: Any) -> Mapping[str, Any] | None:
        """Return one sample, or None to leave the row out.

        `row` has the columns of `reads()`; its text is never None. A sample maps names to numbers or to lists of
        whole numbers, the same names for all rows; `input_ids` is one of them. Lists are cut after the option
        `max_length`.
        """
        raise NotImplementedError(f"{type(self).__name__} must define encode(row, tokenizer)")

    def loss(self, output: Any, batch: Batch) -> torch.Tensor:
        """Return the sum (not the mean) of the losses of a batch, a float32 scalar.

        `output`: what `forward` returned. `batch`: name -> tensor on the model's device. Numbers are (rows,), float32
        or int64. Lists are int64 (rows, longest), padded at the end: `labels` with -100, which torch's cross-entropy
        ignores, anything else with the padding token.
        """
        raise NotImplementedError(f"{type(self).__name__} must define loss(output, batch)")

    def count(self, batch: Batch) -> int:
        """Return how many terms `loss` adds up for this batch; the loss of a step is divided by their sum."""
        return len(batch["input_ids"])

    def forward(self, model: Any, batch: Batch) -> Any:
        """Return the model's output for a batch; `attention_mask` is made of the lengths of `input_ids`."""
        return model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])

    def scores(self, output: Any, batch: Batch) -> Mapping[str, float]:
        """Return further validation metrics as sums over the batch; they are divided by `count`, as the loss is."""
        return {}

    def load(self, folder: Path) -> Any:
        """Return the model to train, in float32; what is drawn here (a new head) depends on the seed alone."""
        return backbone.load(self.model_class, folder)

    def prepare(self, inputs: Any, seed: int) -> tuple[Task, Any]:
        """Return the task and the model."""
        import torch

        folder, documents = Path(inputs.model.path), inputs.documents
        tokenizer = backbone.load_tokenizer(folder)
        torch.manual_seed(derive(seed, "head"))
        model = self.load(folder)
        pad = backbone.padding(model, tokenizer)
        limit = backbone.room(model, self.options.max_length)
        roles = ("train", "validation") if documents.splits else (None,)
        train, *rest = (encode_rows(self, documents, role, tokenizer, limit) for role in roles)
        if not train:
            raise CorpusmillError(
                "there are no training rows",
                where=f"step {self.context.step!r}, port documents",
                expected="a split `train` with rows that encode() takes, or documents without splits",
            )
        return EncodedRows(self, train, rest[0] if rest else [], pad, self.options.micro_batch), model

    def recipe(self, task: Task, device: str) -> Recipe:
        """Return how to train, made of the options."""
        options = self.options
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
        )

    def facts(self, inputs: Any, work: Any) -> dict[str, Any]:
        """Return what the model was made from, for `corpusmill.json` beside it; no time, no path."""
        return {
            "made_by": type(self).__qualname__,
            "seed": work.seed,
            "documents": inputs.documents.digest,
            "model": inputs.model.digest,
            "options": backbone.recorded(self.options),
        }

    def summary(self, task: Any) -> dict[str, Any]:
        """Return what the step's summary says beside losses and counts."""
        return {"train_documents": task.samples}

    def run(self, inputs: Any, work: Any) -> dict[str, Any]:
        """Train and save; return losses, scores and counts."""
        seed = derive(work.seed, self.context.step)
        with deterministic(work.threads):
            task, model = self.prepare(inputs, seed)
            loop = Loop(task, model, self.recipe(task, work.device), work, seed)
            summary = loop.run()
            if not summary["stopped"]:
                loop.save_curve(work.output)
                backbone.save(model.cpu(), Path(inputs.model.path), work.output, self.facts(inputs, work))
        return {**summary, **self.summary(task)}
