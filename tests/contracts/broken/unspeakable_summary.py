"""An evaluator that returns a set."""

from __future__ import annotations

from typing import Any, ClassVar

import corpusmill as mill


class UnspeakableSummary(mill.Evaluator):
    """Lists labels."""

    inputs: ClassVar[dict[str, Any]] = {"documents": mill.Documents}

    def reads(self) -> tuple[str, ...]:
        return ("label",)

    def run(self, inputs: Any, work: Any) -> dict[str, Any]:
        batches = inputs.documents.batches(columns=["label"])
        return {"labels": {label for batch in batches for label in batch["label"].to_pylist()}, "count": 1}


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.evaluator("unspeakable-summary", UnspeakableSummary, "Broken on purpose.")
