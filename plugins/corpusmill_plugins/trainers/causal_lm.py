"""Training language models on packed tokens, from scratch or from a loaded model."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

from corpusmill import CorpusmillError, Model, Port, Tokens, Trainer, option
from corpusmill_plugins.trainers import backbone, projection
from corpusmill_plugins.trainers.architecture import Architecture, build
from corpusmill_plugins.trainers.determinism import deterministic
from corpusmill_plugins.trainers.loop import Loop, Recipe
from corpusmill_plugins.trainers.next_token import NextToken
from corpusmill_plugins.trainers.order import derive
from corpusmill_plugins.trainers.schedule import Schedule

MICRO_TOKENS = {"cpu": 1024, "cuda": 32768}
"""Tokens through the model at a time. On a CPU larger logits leave the caches and cost page faults."""
GPU_LOGITS = 1 << 29
"""Most logits at a time on a GPU, 2 GiB in float32; with their gradients and bfloat16 forms some 7 GiB."""


class CausalLanguageModel(Trainer):
    """Train a model to predict the next token.

    Without the port `model` a new one is made after the option `model`; with it training goes on from there. Leaves
    config.json, model.safetensors (float32) and the tokenizer's files, which `AutoModelForCausalLM.from_pretrained`
    loads, and losses.jsonl. A step is a fixed number of windows in an order that depends on the seed alone.
    """

    version = 3
    depends = ("torch", "transformers")
    inputs: ClassVar[dict[str, type[Port] | Port]] = {
        "tokens": Tokens(roles=("train", "validation?")),
        "model": Model(required=False),
    }

    class Options(Trainer.Options):
        """The model, and how it is trained."""

        model: Architecture | None = option(None, help="shape of a new model; leave out where a model is given")
        steps: int = option(300, ge=1, help="updates", unit="updates")
        batch_tokens: int = option(8192, ge=1, help="tokens in one update, rounded down to windows", unit="tokens")
        micro_tokens: int | None = option(
            None,
            ge=1,
            help="tokens through the model at a time; default 1024 on a CPU, on a GPU 32768 or what 2^29 logits allow",
            unit="tokens",
        )
        learning_rate: float = option(1e-3, gt=0, help="highest learning rate")
        schedule: Schedule = option(default_factory=Schedule, help="warm-up and decay of the learning rate")
        weight_decay: float = option(0.1, ge=0, help="decay of matrices by AdamW")
        clip: float = option(1.0, ge=0, help="largest norm of the gradient; 0 is no limit")
        precision: Literal["auto", "float32", "bfloat16"] = option(
            "auto", help="arithmetic of the model; auto is bfloat16 on a GPU, float32 on a CPU"
        )
        evaluate_every: int = option(
            0, ge=0, help="updates between validations; 0 is only at the end", unit="updates", affects_result=False
        )
        checkpoint_every: int = option(
            100, ge=0, help="updates between checkpoints; 0 is never", unit="updates", affects_result=False
        )
        compile: bool = option(False, help="compile the model with torch.compile (GPU only)")

    def run(self, inputs: Any, work: Any) -> dict[str, Any]:
        """Train and save; return losses and counts."""
        tokens = inputs.tokens
        seed = derive(work.seed, self.context.step)
        with deterministic(work.threads):
            model, recipe = self._model(inputs, seed), self._recipe(tokens, work.device)
            loop = Loop(self._task(tokens, model, work.device, recipe.bfloat16), model, recipe, work, seed)
            summary = loop.run()
            if not summary["stopped"]:
                loop.save_curve(work.output)
                backbone.save(model.cpu(), Path(tokens.tokenizer.path), work.output, self._facts(inputs, work))
        return {**summary, "parameters": sum(value.numel() for value in model.parameters())}

    def _model(self, inputs: Any, seed: int) -> Any:
        tokens, given = inputs.tokens, getattr(inputs, "model", None)
        if (given is None) == (self.options.model is None):
            raise CorpusmillError(
                "a model is given twice" if given else "no model is given",
                where=f"step {self.context.step!r}",
                expected="either `with: {model: {type: llama, …}}` or `needs: {model: STEP}`",
            )
        folder = Path(tokens.tokenizer.path)
        if given is None:
            special = backbone.special_ids(folder)
            return build(self.options.model, tokens.vocabulary_size, tokens.window, special, derive(seed, "weights"))
        backbone.require_same_tokenizer(Path(given.path), folder)
        model = backbone.load("AutoModelForCausalLM", Path(given.path), attn_implementation="sdpa")
        _require_room(model.config, tokens)
        return model

    def _task(self, tokens: Any, model: Any, device: str, bfloat16: bool) -> NextToken:
        label = "train" if "train" in tokens.splits else ""
        if label not in tokens.splits or not len(tokens.windows(label)):
            raise CorpusmillError(
                f"no training tokens: the splits are {sorted(tokens.splits)!r}",
                where=f"step {self.context.step!r}, port tokens",
                expected="a split `train` with at least two tokens, or tokens without splits",
            )
        validation = tokens.windows("validation") if "validation" in tokens.splits else None
        plain = device == "cpu" and not bfloat16 and projection.is_plain(model)
        return NextToken(tokens.windows(label), validation, self._micro(tokens, device), plain)

    def _micro(self, tokens: Any, device: str) -> int:
        """Return how many windows go through the model at a time."""
        fitting = MICRO_TOKENS[device]
        if device == "cuda":
            fitting = min(fitting, GPU_LOGITS // tokens.vocabulary_size)
        return max(1, (self.options.micro_tokens or fitting) // tokens.window)

    def _recipe(self, tokens: Any, device: str) -> Recipe:
        options = self.options
        batch = max(1, options.batch_tokens // tokens.window)
        return Recipe(
            samples=options.steps * batch,
            batch=batch,
            micro=min(batch, self._micro(tokens, device)),
            learning_rate=options.learning_rate,
            schedule=options.schedule,
            weight_decay=options.weight_decay,
            clip=options.clip,
            bfloat16=options.precision == "bfloat16" or (options.precision == "auto" and device == "cuda"),
            compiled=options.compile and device == "cuda",
            validate_samples=options.evaluate_every * batch,
            checkpoint_steps=options.checkpoint_every,
        )

    def _facts(self, inputs: Any, work: Any) -> dict[str, Any]:
        given = getattr(inputs, "model", None)
        return {
            "made_by": "train.causal-lm",
            "seed": work.seed,
            "tokens": inputs.tokens.digest,
            "tokenizer": inputs.tokens.tokenizer.digest,
            "model": given.digest if given else None,
            "options": backbone.recorded(self.options),
        }


def _require_room(config: Any, tokens: Any) -> None:
    """Raise CorpusmillError where a loaded model is too small for the windows or the vocabulary."""
    context = getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None)
    if context is not None and context < tokens.window:
        raise CorpusmillError(
            f"windows of {tokens.window} tokens do not fit the model's {context} positions",
            expected=f"windows of at most {context}",
            hint="set `window` of tokens.pack",
        )
    if config.vocab_size < tokens.vocabulary_size:
        raise CorpusmillError(
            f"the tokens have {tokens.vocabulary_size} ids, the model knows {config.vocab_size}",
            expected="tokens made with the tokenizer of this model",
        )
