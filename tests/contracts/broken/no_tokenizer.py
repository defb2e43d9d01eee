"""A tokenizer trainer that leaves its tokenizer under another name."""

from __future__ import annotations

import json
from typing import Any

import corpusmill as mill


class NoTokenizer(mill.TokenizerTrainer):
    """Splits at spaces."""

    def run(self, inputs: Any, work: Any) -> dict[str, Any]:
        (work.output / "vocabulary.json").write_text(json.dumps({"version": "1.0"}))
        return {"size": 1}


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.tokenizer("no-tokenizer", NoTokenizer, "Broken on purpose.")
