"""docs/reliability.md is what the committed results make, and every promise of the README links to its tests."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def page(repository: Path) -> ModuleType:
    """The module that renders the page."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("reliability_page", repository / "benchmarks/reliability/page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_the_results_make(repository: Path, page: ModuleType) -> None:
    """Nobody wrote a figure by hand: `python benchmarks/reliability/run.py --render` writes this very page."""
    paths = sorted((repository / "benchmarks/results/reliability").glob("*.json"))
    results = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in paths}
    assert all(one["section"] == name for name, one in results.items())
    assert (repository / "docs/reliability.md").read_text(encoding="utf-8") == page.render(results)


def test_nothing_published_was_broken(repository: Path) -> None:
    """A result that says a promise did not hold is for an issue, not for the page."""
    for path in (repository / "benchmarks/results/reliability").glob("*.json"):
        assert not json.loads(path.read_text(encoding="utf-8")).get("failed"), path.name


@pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
def test_every_promise_links_to_its_tests(repository: Path, name: str) -> None:
    """Each numbered promise names at least one test file that is there and has tests."""
    text = (repository / name).read_text(encoding="utf-8")
    promises = re.search(r"^## (?:Promises|承诺)\n(.*?)^## ", text, re.M | re.S)
    assert promises is not None
    items = re.split(r"^\d\. ", promises[1], flags=re.M)[1:]
    assert len(items) == 5
    for number, item in enumerate(items, 1):
        tests = [target for target in re.findall(r"\]\(([^)]+)\)", item) if target.startswith("tests/")]
        assert tests, f"promise {number} links to no test"
        for target in tests:
            assert (repository / target).is_file(), f"promise {number} links to {target}"
        assert any("def test_" in (repository / one).read_text(encoding="utf-8") for one in tests) or number == 5


def test_every_section_of_the_page_can_be_measured(repository: Path) -> None:
    """Each committed result has the module that made it, and the command lists it."""
    command = [sys.executable, str(repository / "benchmarks/reliability/run.py"), "--help"]
    told = subprocess.run(command, capture_output=True, text=True).stdout
    for path in (repository / "benchmarks/results/reliability").glob("*.json"):
        assert path.stem in told


def test_a_section_is_a_table_with_its_machine(page: ModuleType) -> None:
    """Columns, rows with readable numbers, notes, what was broken, and where it was measured."""
    text = page.section(
        {
            "title": "Kills",
            "columns": ["what", "count", "share"],
            "rows": [["a | b", 12345, 0.5], ["c", 0, 1.0]],
            "notes": ["A note."],
            "failed": ["one thing"],
            "date": "2026-11-22T10:00:00+00:00",
            "seconds": 1234,
            "scale": "small",
            "machine": {"cores": 2, "memory_gb": 8.0, "processor": "a processor"},
            "load": {"before": 2.5, "after": 1.0},
            "versions": {"python": "3.11.7", "ray": "2.60.0"},
        }
    )
    assert text.splitlines() == [
        "## Kills",
        "",
        "| what | count | share |",
        "| --- | ---: | ---: |",
        "| a \\| b | 12,345 | 0.5 |",
        "| c | 0 | 1 |",
        "",
        "A note.",
        "",
        "**Broken:** one thing",
        "",
        "*2026-11-22, 1,234 s, scale small; 2 cores, load 2.5 before, 8 GB, a processor; python 3.11.7, ray 2.60.0.*",
    ]
