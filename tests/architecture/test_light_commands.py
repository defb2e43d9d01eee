"""Commands that only show something start at once: they load nothing heavy."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ["pyarrow", "numpy", "pydantic", "ray", "torch", "transformers", "numba", "rich"]
PROGRAM = """
import json, sys
from corpusmill.cli import main
target, sys.argv = sys.argv[1], ["corpusmill", *sys.argv[2:]]
code = 0
try:
    code = main()
except SystemExit as done:
    code = done.code
with open(target, "w") as file:
    json.dump({"code": code or 0, "modules": list(sys.modules)}, file)
"""


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["plugins"]], ids=" ".join)
def test_showing_something_loads_nothing_heavy(arguments: list[str], tmp_path: Path) -> None:
    """Looked up in sys.modules, not by the clock."""
    target = tmp_path / "seen.json"
    command = [sys.executable, "-c", PROGRAM, str(target), *arguments]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    seen = json.loads(target.read_text())
    assert seen["code"] == 0, result.stdout + result.stderr
    assert [name for name in HEAVY if name in seen["modules"]] == []
