"""A trainer that writes into the folder of the model it is given."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import corpusmill as mill


class ChangedInputs(mill.Trainer):
    """Copies a model."""

    inputs: ClassVar[dict[str, Any]] = {"model": mill.Model}

    def run(self, inputs: Any, work: Any) -> dict[str, Any]:
        if any(work.should_stop() for _ in range(9)):
            return {"stopped": True}
        folder = Path(inputs.model.path)
        (folder / "seen.json").write_text("{}")
        for name in ("config.json", "model.safetensors"):
            (work.output / name).write_bytes((folder / name).read_bytes())
        return {}


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.trainer("changed-inputs", ChangedInputs, "Broken on purpose.")
