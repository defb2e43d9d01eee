"""A filter that removes rows and tells the ledger a value that passes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

import corpusmill as mill


class LyingVerdict(mill.Filter):
    """Drops short texts."""

    def rules(self) -> list[mill.Rule]:
        return [mill.at_least("length", 20)]

    def judge(self, batch: pa.RecordBatch) -> mill.Verdicts:
        short = np.array([len(text or "") < 20 for text in self.texts(batch).to_pylist()], bool)
        rule = np.where(short, 0, mill.KEPT).astype(np.int32)
        return mill.Verdicts(tuple(self.rules()), rule, np.full(len(short), 100.0))


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.filter("lying-verdict", LyingVerdict, "Broken on purpose.")
