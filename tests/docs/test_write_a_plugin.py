"""The guide for authors shows what is tested: its operators are those of the example distribution, letter by letter."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from corpusmill.plugin.registry import KINDS
from corpusmill.plugin.resolve import base_class

BLOCK = re.compile(r'^```python(?: title="([\w.]+)")?\n(.*?)^```$', re.M | re.S)
SHOWN = ["stutter.py", "half_width.py", "fingerprint.py", "verdict.py", "replies.py"]


@pytest.fixture(scope="module")
def page(repository: Path) -> str:
    return (repository / "docs" / "write-a-plugin.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def package(repository: Path) -> Path:
    return repository / "tests" / "example_plugin" / "acme_mill"


@pytest.mark.parametrize("name", SHOWN)
def test_whole_files_are_shown_as_they_are(page: str, package: Path, name: str) -> None:
    """Copy the file into the page, or the page's block into the file."""
    assert dict(BLOCK.findall(page))[name] == (package / name).read_text(encoding="utf-8")


def test_the_trainer_is_shown_from_its_first_line(page: str, package: Path) -> None:
    """The block without a title is the beginning of bigrams.py, up to the end of its first class."""
    (shown,) = [code for title, code in BLOCK.findall(page) if not title]
    source = (package / "bigrams.py").read_text(encoding="utf-8")
    assert source.startswith(f"{shown}\n\nclass BigramBits(")


def test_every_kind_is_in_the_table_with_its_class(page: str) -> None:
    """But `mix`, which nobody can write yet."""
    rows = dict(re.findall(r"^\| `(\w+)` \| `(\w+)` \|", page, re.M))
    assert rows == {kind: base_class(kind).__name__ for kind in KINDS if kind != "mix"}
