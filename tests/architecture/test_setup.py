"""`make setup` on a machine that is not ready says in one sentence what to do."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest


@pytest.fixture
def bare(repository: Path, tmp_path: Path) -> Path:
    """A copy of the set-up script in a folder without a virtual environment."""
    folder = tmp_path / "tree"
    (folder / "scripts").mkdir(parents=True)
    (folder / "scripts/setup.sh").write_bytes((repository / "scripts/setup.sh").read_bytes())
    return folder


def set_up(folder: Path, python: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHON": python}
    command = ["sh", str(folder / "scripts/setup.sh")]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def fake_python(folder: Path, script: str) -> str:
    path = folder / "python3"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def one_sentence(result: subprocess.CompletedProcess[str]) -> str:
    assert result.returncode != 0
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    return line


def test_missing_python_is_one_sentence(bare: Path) -> None:
    """No interpreter: the version needed and how to name one."""
    assert "Python 3.11 or newer is needed" in one_sentence(set_up(bare, "/nowhere/python3"))


def test_old_python_is_one_sentence(bare: Path) -> None:
    """An interpreter that says it is too old is as good as none."""
    old = fake_python(bare, "exit 1")
    assert "Python 3.11 or newer is needed" in one_sentence(set_up(bare, old))


def test_missing_venv_module_is_one_sentence(bare: Path) -> None:
    """Debian splits Python: the sentence names the package."""
    split = fake_python(bare, 'case "$2" in *ensurepip*) exit 1;; esac')
    assert "python3-venv" in one_sentence(set_up(bare, split))
