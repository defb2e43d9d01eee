"""Small operators of every kind, so that messages of the check depend on no built-in."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import pyarrow as pa
from pydantic import model_validator

import corpusmill as mill


class Read(mill.Reader):
    """Reads; the columns are declared."""

    class Options(mill.Reader.Options):
        """What can be chosen."""

        year: Literal["number", "text"] | None = mill.option(None, help="type of the column `year`")

    def adds(self) -> dict[str, Any]:
        years = {"number": {"year": pa.int64()}, "text": {"year": pa.large_string()}}
        return {"text": pa.large_string(), **years.get(self.options.year, {})}


class Load(mill.Loader):
    """Loads a model."""

    output = "model"
    outputs: ClassVar[dict[str, str]] = {"tokenizer": "tokenizer"}

    class Options(mill.Loader.Options):
        """What can be chosen."""

        path: str = mill.option(help="folder of the model")

    def sources(self) -> tuple[str, ...]:
        return (self.options.path,)


class Short(mill.Filter):
    """Drops short documents."""

    class Options(mill.Filter.Options):
        """What can be chosen."""

        min_words: int = mill.option(50, ge=0, le=10_000, help="fewest words of a document that stays", unit="words")
        share: float = mill.option(0.5, ge=0, le=1, help="least share of letters", unit="share")
        buffer: mill.Size = mill.option(1 << 20, help="memory to use", unit="bytes")
        dialect: Literal["gopher", "datatrove", "dolma"] = mill.option("gopher", help="whose rules to follow")
        words: list[int] | int | None = mill.option(None, help="one number or several")
        lexicon: str | None = mill.option(None, help="file with one word a line")
        column_named: str | None = mill.option(None, help="another column to look at")

        @model_validator(mode="after")
        def _check(self) -> Short.Options:
            if self.dialect == "dolma" and self.min_words < 10:
                raise ValueError("dialect dolma needs min_words of at least 10")
            return self

    def reads(self) -> tuple[str, ...]:
        named = self.options.column_named
        return (self.column, named) if named else (self.column,)

    def files(self) -> tuple[str, ...]:
        return (self.options.lexicon,) if self.options.lexicon else ()

    def rules(self) -> list[mill.Rule]:
        return [mill.at_least("words", self.options.min_words)]


class Faulty(mill.Filter):
    """Breaks when it is set up."""

    def adds(self) -> dict[str, Any]:
        raise RuntimeError("lexicon is upside down")


class Language(mill.Annotator):
    """Adds a language."""

    def adds(self) -> dict[str, Any]:
        return {"language": pa.string()}


class Halves(mill.Splitter):
    """Splits in two."""

    def labels(self) -> tuple[str, ...]:
        return ("train", "validation")


class Thirds(mill.Splitter):
    """Splits without training data."""

    def labels(self) -> tuple[str, ...]:
        return ("validation", "test")


class Exact(mill.Deduplicator):
    """Finds duplicates."""

    inputs: ClassVar[dict[str, Any]] = {
        "documents": mill.Documents,
        "against": mill.Documents(required=False, many=True),
    }


class Vocabulary(mill.TokenizerTrainer):
    """Makes a tokenizer."""


class Pack(mill.Packer):
    """Makes tokens."""


class Fit(mill.Trainer):
    """Makes a model."""

    inputs: ClassVar[dict[str, Any]] = {"tokens": mill.Tokens(roles=("train", "validation?"))}

    class Options(mill.Trainer.Options):
        """What can be chosen."""

        steps: int = mill.option(help="steps to train", ge=1, unit="steps")


class Score(mill.Evaluator):
    """Makes metrics."""

    inputs: ClassVar[dict[str, Any]] = {"model": mill.Model, "tokens": mill.Tokens(many=True)}


class Write(mill.Writer):
    """Writes files."""

    class Options(mill.Writer.Options):
        """What can be chosen."""

        path: str = mill.option(help="folder to write")


class NotAFilter(mill.Annotator):
    """Registered under the wrong kind."""


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.reader("toy", ":Read", "Reads.")
    registry.loader("toy", Load, "Loads a model.")
    registry.filter("short", "toy_operators:Short", "Drops short documents.")
    registry.filter("faulty", ":Faulty", "Breaks.")
    registry.filter("annotator", ":NotAFilter", "Of another kind.")
    registry.filter("absent", ":Absent", "Not there.")
    registry.filter("unimportable", "no_such_module_of_toy:Any", "Fails to import.")
    registry.annotator("language", ":Language", "Adds a language.")
    registry.splitter("halves", ":Halves", "Splits.")
    registry.splitter("thirds", ":Thirds", "Splits.")
    registry.dedup("exact", ":Exact", "Finds duplicates.")
    registry.tokenizer("toy", ":Vocabulary", "Makes a tokenizer.")
    registry.packer("pack", ":Pack", "Makes tokens.")
    registry.trainer("toy", ":Fit", "Makes a model.")
    registry.evaluator("toy", ":Score", "Makes metrics.")
    registry.writer("toy", ":Write", "Writes.")
