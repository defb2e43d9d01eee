"""A splitter that gives a label that it does not declare."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

import corpusmill as mill


class UndeclaredLabel(mill.Splitter):
    """Splits by length."""

    def labels(self) -> tuple[str, ...]:
        return ("train", "test")

    def split(self, batch: pa.RecordBatch) -> Any:
        return np.array([len(text or "") % 3 for text in self.texts(batch).to_pylist()], np.int32)


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.splitter("undeclared-label", UndeclaredLabel, "Broken on purpose.")
