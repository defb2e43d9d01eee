"""An evaluator that counts batches."""

from __future__ import annotations

from typing import Any, ClassVar

import corpusmill as mill


class CountedBatches(mill.Evaluator):
    """Counts documents, as it thinks."""

    inputs: ClassVar[dict[str, Any]] = {"documents": mill.Documents}

    def run(self, inputs: Any, work: Any) -> dict[str, Any]:
        return {"documents": sum(1 for _ in inputs.documents.batches(columns=["id"]))}


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.evaluator("counted-batches", CountedBatches, "Broken on purpose.")
