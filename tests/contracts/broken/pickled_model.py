"""A trainer that leaves a file that only pickle opens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import corpusmill as mill


class PickledModel(mill.Trainer):
    """Counts words, a step a document."""

    inputs: ClassVar[dict[str, Any]] = {"documents": mill.Documents}

    def reads(self) -> tuple[str, ...]:
        return (self.column,)

    def _save(self, counts: dict[str, int], output: Path) -> None:
        (output / "config.json").write_text("{}")
        (output / "model.bin").write_text(json.dumps(counts, sort_keys=True))

    def run(self, inputs: Any, work: Any) -> dict[str, Any]:
        if any(work.should_stop() for _ in range(9)):
            return {"stopped": True}
        counts: dict[str, int] = {}
        for batch in inputs.documents.batches(columns=[self.column]):
            for word in " ".join(text or "" for text in batch[self.column].to_pylist()).split():
                counts[word] = counts.get(word, 0) + 1
        self._save(counts, work.output)
        return {"words": len(counts)}


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.trainer("pickled-model", PickledModel, "Broken on purpose.")
