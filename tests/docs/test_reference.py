"""What is generated from the sources is as the sources are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_generated_pages_are_fresh(repository: Path) -> None:
    """docs/plugins.md, the tables of docs/spec.md and the pipelines' schema; `make docs` writes them anew."""
    command = [sys.executable, str(repository / "scripts" / "reference.py"), "--check"]
    result = subprocess.run(command, cwd=repository, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_every_region_is_generated(repository: Path) -> None:
    """No table of the spec's page is left empty or outside its marks."""
    page = (repository / "docs" / "spec.md").read_text(encoding="utf-8")
    assert page.count("<!-- generated: ") == page.count("<!-- end -->") == page.count("| key | type |") == 8
