"""An evaluator that reads a column of its documents that it does not declare."""

from __future__ import annotations

from typing import Any, ClassVar

import corpusmill as mill


class UndeclaredDocuments(mill.Evaluator):
    """Counts labels."""

    inputs: ClassVar[dict[str, Any]] = {"documents": mill.Documents}

    def run(self, inputs: Any, work: Any) -> dict[str, Any]:
        labels = [label for batch in inputs.documents.batches() for label in batch["label"].to_pylist()]
        return {"labels": len(set(labels))}


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.evaluator("undeclared-documents", UndeclaredDocuments, "Broken on purpose.")
