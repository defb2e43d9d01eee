"""A deduplicator with an option that changes keys and is not among key_options."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from xxhash import xxh3_64_intdigest

import corpusmill as mill


class ForgottenKeyOption(mill.Deduplicator):
    """Same text."""

    class Options(mill.Deduplicator.Options):
        """One option."""

        casefold: bool = mill.option(False, help="whether case does not count")

    def sketch(self, batch: pa.RecordBatch) -> mill.Sketch:
        texts = self.texts(batch).to_pylist()
        texts = [text.casefold() if text and self.options.casefold else text for text in texts]
        rows = np.array([row for row, text in enumerate(texts) if text], np.int64)
        return mill.Sketch(np.array([xxh3_64_intdigest(texts[row].encode()) for row in rows], np.uint64), rows)


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.dedup("forgotten-key-option", ForgottenKeyOption, "Broken on purpose.")
