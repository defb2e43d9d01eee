"""The typed inputs of operators: each port says what kind of artifact it takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Port:
    """One named input.

    `many`: takes several references (for documents: their union). `columns`: columns the artifact must have beside
    the step's text column. `roles`: split labels the operator uses by name; a label ending in "?" is optional.
    """

    artifact: ClassVar[str] = ""
    required: bool = True
    many: bool = False
    columns: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()


class Documents(Port):
    """A dataset of documents; several references are a union in list order."""

    artifact = "documents"


class Tokens(Port):
    """A tokenised, packed corpus: what `tokens.pack` makes."""

    artifact = "tokens"


class Tokenizer(Port):
    """A tokenizer: a folder with `tokenizer.json`."""

    artifact = "tokenizer"


class Model(Port):
    """A model: a folder that `transformers` loads with `from_pretrained`."""

    artifact = "model"


class Metrics(Port):
    """Numbers an evaluator left: `metrics.json`."""

    artifact = "metrics"


PORTS = {port.artifact: port for port in (Documents, Tokens, Tokenizer, Model, Metrics)}
