"""The tree is in the project's style; unsafe calls (pickle, eval, yaml.load, torch.load) are refused."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    "arguments", [["check", "--no-cache"], ["format", "--check", "--no-cache"]], ids=lambda a: a[0]
)
def test_ruff_has_nothing_to_say(repository: Path, arguments: list[str]) -> None:
    """`make fmt` repairs most of what this finds."""
    command = [sys.executable, "-m", "ruff", *arguments, "."]
    result = subprocess.run(command, cwd=repository, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr


@pytest.mark.parametrize(
    ("rule", "line"),
    [
        ("S301", "import pickle\npickle.loads(b'')"),
        ("TID251", "import cloudpickle"),
        ("S307", "eval('1')"),
        ("S102", "exec('1')"),
        ("S506", "import yaml\nyaml.load('', yaml.Loader)"),
        ("S602", "import subprocess\nsubprocess.run('ls', shell=True)"),
        ("T201", "print(1)"),
        ("TID251", "import engine"),
    ],
)
def test_unsafe_code_is_refused(repository: Path, rule: str, line: str) -> None:
    """The rules are on for a file of the engine."""
    command = [sys.executable, "-m", "ruff", "check", "--no-cache", "--output-format", "concise"]
    place = ["--stdin-filename", "engine/corpusmill/plan/sample.py", "-"]
    result = subprocess.run([*command, *place], cwd=repository, input=line, capture_output=True, text=True)
    assert rule in result.stdout


def loads_any_object(call: ast.AST) -> bool:
    """Say whether a node is `torch.load(...)` without `weights_only=True`."""
    if not isinstance(call, ast.Call) or ast.unparse(call.func) != "torch.load":
        return False
    return not any(word.arg == "weights_only" and ast.unparse(word.value) == "True" for word in call.keywords)


def test_torch_files_are_read_as_weights_only(repository: Path) -> None:
    """A checkpoint from elsewhere must not run code; ruff knows no stable rule for it."""
    assert loads_any_object(ast.parse("torch.load(path)", mode="eval").body)
    found = [
        f"{path.relative_to(repository)}:{node.lineno}"
        for root in ("engine", "plugins")
        for path in (repository / root).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and loads_any_object(node)
    ]
    assert not found
