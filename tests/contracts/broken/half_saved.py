"""A trainer that saves its counts at every step and its place only when it is asked to stop."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import corpusmill as mill


class HalfSaved(mill.Trainer):
    """Counts words, a step a document."""

    inputs: ClassVar[dict[str, Any]] = {"documents": mill.Documents}

    def reads(self) -> tuple[str, ...]:
        return (self.column,)

    def _save(self, counts: dict[str, int], output: Path) -> None:
        (output / "config.json").write_text("{}")
        (output / "model.safetensors").write_text(json.dumps(counts, sort_keys=True))

    def run(self, inputs: Any, work: Any) -> dict[str, Any]:
        saved, place = work.folder / "counts.json", work.folder / "place.txt"
        counts: dict[str, int] = json.loads(saved.read_text()) if saved.exists() else {}
        done = int(place.read_text()) if place.exists() else 0
        texts = [text for batch in inputs.documents.batches(["text"]) for text in batch["text"].to_pylist()]
        for row in range(done, len(texts)):
            if work.should_stop():
                place.write_text(str(row))
                return {"stopped": True}
            for word in (texts[row] or "").split():
                counts[word] = counts.get(word, 0) + 1
            saved.write_text(json.dumps(counts))
        self._save(counts, work.output)
        return {"words": len(counts)}


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.trainer("half-saved", HalfSaved, "Broken on purpose.")
