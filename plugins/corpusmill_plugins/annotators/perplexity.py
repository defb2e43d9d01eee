"""annotate.perplexity: how surprising each document is to a language model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from corpusmill import Annotator, Documents, Model, Port, option

if TYPE_CHECKING:
    import pyarrow as pa


class Perplexity(Annotator):
    """Add a model's perplexity of each document: exp of the mean loss of its tokens.

    A document is scored from its start (the first token given the start-of-document token) to its last token, in
    pieces of the model's context. Null where there is nothing to predict: empty text and null.
    """

    version = 1
    depends = ("torch", "transformers", "tokenizers")
    exact = False
    expensive = True
    resources: ClassVar[dict[str, Any]] = {"cpus": 1, "actors": 2, "gpus": 0}
    inputs: ClassVar[dict[str, type[Port] | Port]] = {"documents": Documents(), "model": Model()}

    class Options(Annotator.Options):
        """What is written, and how much of a document counts."""

        output: str = option("perplexity", help="name of the new column")
        decimals: int = option(6, ge=0, le=12, help="decimals the value is rounded to", unit="digits")
        max_tokens: int | None = option(None, ge=1, help="score only this many first tokens", unit="tokens")
        threads: int = option(1, ge=1, help="CPU threads of one copy of the model", affects_result=False)

    def adds(self) -> dict[str, pa.DataType]:
        """One float64 column."""
        import pyarrow as pa

        return {self.options.output: pa.float64()}

    def setup(self) -> None:
        """Load the model and its tokenizer from the port `model`."""
        from corpusmill_plugins.annotators.perplexity_model import SequenceScorer

        folder = Path(self.context.inputs["model"].path)
        self._scorer = SequenceScorer(folder, self.context.device, self.options.threads)

    def annotate(self, batch: pa.RecordBatch) -> Mapping[str, pa.Array]:
        """Return the perplexity of each row, float64 with nulls."""
        import pyarrow as pa

        if not hasattr(self, "_scorer"):
            self.setup()
        texts = [text or "" for text in self.texts(batch).to_pylist()]
        limit = self.options.max_tokens
        stop = None if limit is None else limit + (self._scorer.start is not None)
        sequences = [ids[:stop] for ids in self._scorer.encode(texts)]
        values = [
            round(math.exp(min(loss / (len(ids) - 1), 700.0)), self.options.decimals) if len(ids) > 1 else None
            for loss, ids in zip(self._scorer.losses(sequences), sequences, strict=True)
        ]
        return {self.options.output: pa.array(values, pa.float64())}
