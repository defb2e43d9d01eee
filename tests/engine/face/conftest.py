"""A finished run for the tests of the Python face: reviews, filtered, deduplicated, split, tokenised, published."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from corpusmill.face.running import Run, run

WORDS = ("the", "river", "of", "winter", "light", "and", "a", "stone", "that", "was", "with", "old", "garden", "to")


def reviews(count: int) -> list[dict[str, Any]]:
    """Texts of 1 to 30 words; every tenth is a copy of the one before."""
    texts = [
        " ".join(WORDS[(at * 7 + one) % len(WORDS)] + str(at) for one in range(1 + at % 30)) for at in range(count)
    ]
    copied = [texts[at - 1] if at % 10 == 9 else text for at, text in enumerate(texts)]
    return [{"text": text, "stars": at % 5} for at, text in enumerate(copied)]


def spec(folder: Path) -> dict[str, Any]:
    """A spec as a Python value."""
    return {
        "corpusmill": 1,
        "name": "reviews",
        "steps": [
            {
                "id": "raw",
                "uses": "read.jsonl",
                "with": {"paths": folder / "reviews-*.jsonl", "columns": "all", "shard": "4 KB"},
            },
            {"id": "long", "uses": "filter.length", "with": {"min_words": 3}},
            {"id": "exact", "uses": "dedup.exact"},
            {"id": "split", "uses": "split.by-hash", "with": {"train": 0.8, "test": 0.2}},
            {"id": "words", "uses": "tokenizer.bpe", "needs": "split.train", "with": {"size": 300}},
            {
                "id": "tokens",
                "uses": "tokens.pack",
                "needs": {"documents": "split", "tokenizer": "words"},
                "with": {"window": 16},
            },
            {"id": "out", "uses": "write.jsonl", "needs": "split", "with": {"path": str(folder / "out")}},
        ],
    }


def write_reviews(folder: Path) -> None:
    """Write three files of reviews."""
    rows = reviews(120)
    for number in range(3):
        lines = [json.dumps(row) + "\n" for row in rows[number * 40 : number * 40 + 40]]
        (folder / f"reviews-{number}.jsonl").write_text("".join(lines))


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("face")
    write_reviews(made)
    return made


@pytest.fixture(scope="session")
def done(folder: Path) -> Run:
    """The run, made from a mapping, in this process."""
    return run(spec(folder), store=folder / "store", debug=True)
