"""The kinds that see whole inputs: load, tokenizer, tokens, train, predict, evaluate, write."""

from __future__ import annotations

from collections.abc import Iterable
from typing import IO, TYPE_CHECKING, Any, ClassVar

from corpusmill.plugin.operator import GlobalOperator, Operator
from corpusmill.plugin.ports import Documents, Model, Port, Tokenizer

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa


class Loader(GlobalOperator):
    """Brings an artifact from outside into the store: `run` copies it into `work.output` after checking it."""

    kind = "load"

    def sources(self) -> tuple[str, ...]:
        """Paths whose content is loaded; the engine hashes them into the fingerprint."""
        raise NotImplementedError


class TokenizerTrainer(GlobalOperator):
    """Trains a tokenizer: `run` leaves `tokenizer.json` in `work.output`."""

    kind = "tokenizer"
    output = "tokenizer"
    inputs: ClassVar[dict[str, type[Port] | Port]] = {"documents": Documents}

    def reads(self) -> tuple[str, ...]:
        """The text column."""
        return (self.column,)


class Packer(Operator):
    """Plans windows over tokenised documents; encoding and storing are the engine's."""

    kind = "tokens"
    output = "tokens"
    inputs: ClassVar[dict[str, type[Port] | Port]] = {"documents": Documents, "tokenizer": Tokenizer}

    def window(self) -> int:
        """Predicted tokens in a full window."""
        raise NotImplementedError

    def windows(self, lengths: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], ...]:
        """Return the plan for one split as int64 arrays (window, document, start, stop), sorted by window.

        `lengths`: tokens of each document in order. A row says: window takes tokens [start, stop) of document.
        """
        raise NotImplementedError


class Trainer(GlobalOperator):
    """Trains a model: `run` leaves a folder in `work.output` that `transformers` loads as is."""

    kind = "train"
    output = "model"
    outputs: ClassVar[dict[str, str]] = {"tokenizer": "tokenizer"}
    uses_seed = True
    exact = False


class Predictor(GlobalOperator):
    """Applies a model to documents and leaves predictions."""

    kind = "predict"
    inputs: ClassVar[dict[str, type[Port] | Port]] = {"model": Model, "documents": Documents}
    exact = False


class Evaluator(GlobalOperator):
    """Measures: `run` returns the metrics as a JSON-able dictionary; the engine writes `metrics.json`."""

    kind = "evaluate"
    output = "metrics"
    exact = False


class Writer(Operator):
    """Writes documents for the outside world: bytes of one file; the engine names, sizes and publishes files."""

    kind = "write"
    output = "files"
    suffix: ClassVar[str] = ""

    def reads(self) -> tuple[str, ...]:
        """Nothing in particular: all columns are written."""
        return ()

    def encode(self, schema: pa.Schema, batches: Iterable[pa.RecordBatch], sink: IO[bytes]) -> None:
        """Write all batches of one file to `sink`.

        Documents on which this raises, dies or passes the deadline are found by writing few at a time; the file is
        written again without them. So it must hold of some rows of a file, and of none, what holds of all. All batches
        must be read: to return before stops the run.
        """
        raise NotImplementedError

    def file_bytes(self) -> int:
        """Text bytes after which a new file starts."""
        return 512_000_000

    def path(self) -> str:
        """The folder to publish."""
        return str(self.options.path)

    def card(self, facts: dict[str, Any]) -> dict[str, bytes]:
        """Return further files (a README) to lay beside the data: relative name -> bytes."""
        return {}
