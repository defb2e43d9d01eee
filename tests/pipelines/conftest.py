"""The quickstart as a user runs it: its path, and the command line in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def quickstart(repository: Path) -> str:
    """The path of the pipeline."""
    return str(repository / "pipelines" / "quickstart.yaml")


@pytest.fixture(scope="session")
def run_corpusmill() -> Callable[[list[str], Path], dict[str, Any]]:
    """Runs `corpusmill run` with arguments in a folder; returns the outputs it prints as JSON."""

    def run(arguments: list[str], cwd: Path) -> dict[str, Any]:
        command = [sys.executable, "-c", "from corpusmill.cli import main; main()", "run", *arguments, "--json"]
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-4000:]
        outputs: dict[str, Any] = json.loads(done.stdout)
        return outputs

    return run
