"""A trainer that stops on request and starts from nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import corpusmill as mill


class NoResume(mill.Trainer):
    """Counts words, a step a document."""

    inputs: ClassVar[dict[str, Any]] = {"documents": mill.Documents}

    def reads(self) -> tuple[str, ...]:
        return (self.column,)

    def _save(self, counts: dict[str, int], output: Path) -> None:
        (output / "config.json").write_text("{}")
        (output / "model.safetensors").write_text(json.dumps(counts, sort_keys=True))

    def run(self, inputs: Any, work: Any) -> dict[str, Any]:
        saved = work.folder / "counts.json"
        counts: dict[str, int] = json.loads(saved.read_text()) if saved.exists() else {}
        for batch in inputs.documents.batches(columns=[self.column]):
            for text in batch[self.column].to_pylist():
                if work.should_stop():
                    saved.write_text(json.dumps(counts))
                    return {"stopped": True}
                for word in (text or "").split():
                    counts[word] = counts.get(word, 0) + 1
        self._save(counts, work.output)
        return {"words": len(counts)}


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.trainer("no-resume", NoResume, "Broken on purpose.")
