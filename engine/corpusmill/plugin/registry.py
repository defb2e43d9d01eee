"""Names of operators: who registered what, without importing any of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from corpusmill.errors import PluginError

KINDS = {
    "read": "reader",
    "load": "loader",
    "clean": "cleaner",
    "filter": "filter",
    "annotate": "annotator",
    "augment": "augmenter",
    "split": "splitter",
    "dedup": "dedup",
    "mix": "mixer",
    "tokenizer": "tokenizer",
    "tokens": "packer",
    "train": "trainer",
    "predict": "predictor",
    "evaluate": "evaluator",
    "write": "writer",
}
"""Prefix in `uses` -> the registry's verb for that kind."""


@dataclass(frozen=True)
class Registered:
    """An operator by name: what `uses` it, where its class is, what it does, who owns it."""

    uses: str
    target: str
    summary: str
    owner: str
    extra: str | None = None
    """The extra (`train`, `web`) that brings what the operator imports, if any."""


class Registry:
    """Takes registrations; `owner` is set by the loader while a plugin registers."""

    def __init__(self) -> None:
        self.operators: dict[str, Registered] = {}
        self.owner = "?"

    def add(self, prefix: str, name: str, target: str, summary: str, *, extra: str | None = None) -> None:
        """Register `prefix.name`; a taken name is an error that names both owners."""
        uses = f"{prefix}.{name}"
        if prefix not in KINDS:
            raise PluginError(f"unknown kind {prefix!r} for {uses!r}", where=self.owner, expected=", ".join(KINDS))
        if uses in self.operators:
            raise PluginError(
                f"{uses!r} is registered twice: by {self.operators[uses].owner} and by {self.owner}",
                expected="one owner a name",
                hint="uninstall one of the two, or leave it out with --no-plugin NAME",
            )
        self.operators[uses] = Registered(uses, target, summary, self.owner, extra)

    reader: Callable[..., None]
    loader: Callable[..., None]
    cleaner: Callable[..., None]
    filter: Callable[..., None]
    annotator: Callable[..., None]
    augmenter: Callable[..., None]
    splitter: Callable[..., None]
    dedup: Callable[..., None]
    mixer: Callable[..., None]
    tokenizer: Callable[..., None]
    packer: Callable[..., None]
    trainer: Callable[..., None]
    predictor: Callable[..., None]
    evaluator: Callable[..., None]
    writer: Callable[..., None]


def _verb(prefix: str) -> Callable[..., None]:
    def register(self: Registry, name: str, target: str, summary: str, *, extra: str | None = None) -> None:
        self.add(prefix, name, target, summary, extra=extra)

    register.__doc__ = f"Register `{prefix}.NAME`: target `module:Class`, one sentence, the extra it needs."
    return register


for _prefix, _verb_name in KINDS.items():
    setattr(Registry, _verb_name, _verb(_prefix))
