"""Props of the demonstration's tests: a small pipeline with work enough to be killed in, and the command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

MARK, SESSION = "CORPUSMILL_TEST_SESSION", uuid.uuid4().hex
"""An environment variable by which processes are known as this session's: others may test on the same machine."""
COMMAND = [sys.executable, "-c", "from corpusmill.cli import main; main()", "demo"]
STEPS = [
    {"id": "read", "uses": "read.jsonl", "with": {"paths": "data/*.jsonl", "shard": 16000}},
    {"id": "clean", "uses": "clean.unicode"},
    {"id": "length", "uses": "filter.length", "with": {"min_words": 8}, "keep": True},
    {"id": "exact", "uses": "dedup.exact"},
    {"id": "split", "uses": "split.by-hash", "with": {"train": 0.8, "test": 0.2}},
    {"id": "vocabulary", "uses": "tokenizer.bpe", "needs": "split.train", "with": {"size": 400}},
    {"id": "export", "uses": "write.jsonl", "needs": "split", "with": {"path": "out/small"}},
]


@pytest.fixture(scope="session")
def write_spec() -> Callable[..., Path]:
    """Writes a pipeline and its documents into a folder: some too short, some twice."""

    def write(folder: Path, *changed: dict[str, Any], files: int = 8, **top: Any) -> Path:
        (folder / "data").mkdir(parents=True)
        for file in range(files):
            texts = [f"document {row % 140} of file {file} goes on " * (1 + row % 7) for row in range(170)]
            lines = [json.dumps({"text": text if row % 11 else "short"}) for row, text in enumerate(texts)]
            (folder / f"data/{file}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        steps = {step["id"]: step for step in [*STEPS, *changed]}
        spec = {"corpusmill": 1, "name": "small", "run": {"batch_bytes": 2048}, "steps": list(steps.values()), **top}
        path = folder / "small.yaml"
        path.write_text(json.dumps(spec), encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="session")
def start_demo() -> Callable[..., subprocess.Popen[str]]:
    """Starts `corpusmill demo` with arguments in a folder."""

    def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        environment = {**os.environ, MARK: SESSION}
        return subprocess.Popen(
            [*COMMAND, *arguments], cwd=folder, stdout=pipe, stderr=pipe, text=True, env=environment
        )

    return start


def marked() -> set[int]:
    """Return the processes of this session's demonstrations that live: all inherit its mark."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            state = path.with_name("stat").read_text().rpartition(")")[2].split()[0]
            if state not in "ZX" and f"{MARK}={SESSION}".encode() in path.read_bytes():
                found.add(int(path.parent.name))
        except OSError:
            continue
    return found


@pytest.fixture(scope="session")
def living() -> Callable[[], set[int]]:
    """Says which processes of this session's demonstrations live."""
    return marked
