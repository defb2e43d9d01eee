"""Whatever method of an operator raises, whoever calls it: the error names plugin, step and line, or the document is
turned away; a traceback is for faults of the engine."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import pytest

from corpusmill.errors import CorpusmillError, OperatorError
from corpusmill.plan.check import check
from corpusmill.plugin.finder import load_registry
from corpusmill.plugin.resolve import resolve
from corpusmill.runner.driver import RunOptions, run_spec

STEPS: list[dict[str, Any]] = [
    {"id": "read", "uses": "read.jsonl", "with": {"paths": "data/*.jsonl"}},
    {"id": "clean", "uses": "clean.unicode"},
    {"id": "language", "uses": "annotate.language"},
    {"id": "long", "uses": "filter.length", "with": {"min_words": 2}},
    {"id": "exact", "uses": "dedup.exact"},
    {"id": "near", "uses": "dedup.minhash"},
    {"id": "parts", "uses": "dedup.segments"},
    {"id": "split", "uses": "split.by-hash", "with": {"train": 0.8, "test": 0.2}},
    {"id": "words", "uses": "tokenizer.bpe", "needs": "split.train", "with": {"size": 300}},
    {"id": "export", "uses": "write.parquet", "needs": "split", "with": {"path": "out"}},
]
KINDS = {
    "read": "reader",
    "clean": "cleaner",
    "annotate": "annotator",
    "split": "splitter",
    "write": "writer",
}
"""What the registry calls a kind, where it is not the prefix of its operators."""
PLUGIN = '''
from corpusmill import hookimpl
from {module} import {name} as Base


class Broken(Base):
    """Raise."""

    def {method}(self, *arguments, **options):
        raise RuntimeError("boom")


@hookimpl
def corpusmill_register(registry):
    registry.{kind}("broken", ":Broken", "Raise.")
'''


SAME_EVERYWHERE = {"adds", "drops", "files", "reads", "setup", "texts"}


def methods() -> list[tuple[str, str]]:
    """Every public method of every operator above; what all kinds have is tried with one."""
    found = [("clean", name) for name in sorted(SAME_EVERYWHERE)]
    for step in STEPS:
        operator = resolve(load_registry().lookup(step["uses"]))
        names = [name for name, _ in inspect.getmembers(operator, inspect.isfunction) if not name.startswith("_")]
        found += [(step["id"], name) for name in names if name not in SAME_EVERYWHERE]
    return found


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Thirty documents in a file."""
    (tmp_path / "data").mkdir()
    lines = [json.dumps({"text": f"river {number % 9} stone and bread {number % 7}"}) for number in range(30)]
    (tmp_path / "data" / "a.jsonl").write_text("\n".join(lines) + "\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("step", "method"), methods())
def test_it_is_told(folder: Path, step: str, method: str) -> None:
    """A method that is called and raises ends the check, or the run, with words that tell whose it is."""
    (original,) = (one["uses"] for one in STEPS if one["id"] == step)
    prefix = original.partition(".")[0]
    operator = resolve(load_registry().lookup(original))
    plugin = PLUGIN.format(
        module=operator.__module__, name=operator.__name__, method=method, kind=KINDS.get(prefix, prefix)
    )
    (folder / "broken.py").write_text(plugin)
    steps = [{**one, "uses": f"{prefix}.broken"} if one["id"] == step else one for one in STEPS]
    spec = folder / "spec.json"
    spec.write_text(json.dumps({"corpusmill": 1, "name": "broken", "plugins": ["./broken.py"], "steps": steps}))
    told = outcome(spec)
    if isinstance(told, OperatorError):
        assert f"step {step}" in str(told.where)
        assert "RuntimeError" in told.what
    elif told is not None:
        assert f"(step {step!r})" in str(told) or f"{step}: raised RuntimeError" in str(told)


def outcome(spec: Path) -> CorpusmillError | None:
    """Check and run; return the error that it ends with, if it is one of ours."""
    try:
        run_spec(check(spec), RunOptions(store=str(spec.parent / "store"), debug=True))
    except CorpusmillError as error:
        return error
    return None
