"""A packer whose windows run over the end of their documents."""

from __future__ import annotations

from typing import Any

import numpy as np

import corpusmill as mill


class OverrunWindows(mill.Packer):
    """One window a document."""

    def window(self) -> int:
        return 16

    def windows(self, lengths: Any) -> tuple[Any, ...]:
        documents = np.arange(len(lengths), dtype=np.int64)
        return documents, documents, np.zeros_like(documents), np.full_like(documents, 17)


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.packer("overrun-windows", OverrunWindows, "Broken on purpose.")
