"""Every code block of the README and the guides runs.

Blocks of one document run in order in one folder, which begins with `data/reviews.jsonl`. A block that says
` ```python title="no_emoji.py" ` is written to that file; otherwise `bash` and `python` blocks are run, and `yaml`
blocks are pipelines to check. Blocks of any other language (`text`, `console`, `toml`) are to read.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
DOCUMENTS = [*sorted(REPOSITORY.glob("README*.md")), *sorted((REPOSITORY / "docs").glob("*.md"))]
BLOCK = re.compile(r"^(?P<fence>```+)(?P<language>\w*)(?P<rest>[^\n]*)\n(?P<code>.*?)^(?P=fence)$", re.M | re.S)
TITLE = re.compile(r'title="([\w./-]+)"')
REVIEWS = "".join(
    f'{{"text": "Review {number}: a film that {word} everyone who saw it, twice over.", "label": {number % 2}}}\n'
    for number, word in enumerate(["pleased", "bored", "moved", "puzzled", "amused"] * 8)
)
CHECK = "import sys; from corpusmill.plan.check import check; check(sys.argv[1], deep=False)"


@dataclass(frozen=True)
class Block:
    """A fenced block and the line it starts on."""

    language: str
    title: str | None
    code: str
    line: int


def blocks(text: str) -> list[Block]:
    """All fenced blocks of a Markdown text, in order."""
    return [
        Block(
            found["language"],
            title[1] if (title := TITLE.search(found["rest"])) else None,
            found["code"],
            text.count("\n", 0, found.start()) + 1,
        )
        for found in BLOCK.finditer(text)
    ]


def command(block: Block, folder: Path) -> list[str] | None:
    """What runs a block; None for one to read. Writes the block's file."""
    suffix = {"bash": "sh", "python": "py", "yaml": "yaml"}.get(block.language)
    if block.title is None and suffix is None:
        return None
    file = folder / (block.title or f"block-{block.line}.{suffix}")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(block.code, encoding="utf-8")
    if block.language == "yaml" and re.search("^steps:", block.code, re.M):
        return ["python", "-c", CHECK, file.name]
    if block.title is not None or block.language == "yaml":
        return None
    return ["bash", "-euo", "pipefail", file.name] if block.language == "bash" else ["python", file.name]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_code_blocks_run(document: Path, tmp_path: Path, fresh_environment: dict[str, str]) -> None:
    """As a reader would run them, from top to bottom."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "reviews.jsonl").write_text(REVIEWS, encoding="utf-8")
    for block in blocks(document.read_text(encoding="utf-8")):
        run = command(block, tmp_path)
        if run is None:
            continue
        done = subprocess.run(run, cwd=tmp_path, env=fresh_environment, capture_output=True, text=True)
        said = f"{document.name}:{block.line}\n{block.code}\n{done.stdout[-3000:]}{done.stderr[-5000:]}"
        assert done.returncode == 0, said


def test_blocks_are_found_with_language_title_and_line() -> None:
    """A block in a longer fence may hold a shorter one."""
    text = 'a\n```yaml\nx: 1\n```\n\n````text\n```bash\nexit 1\n```\n````\n```python title="a/b.py"\npass\n```\n'
    assert blocks(text) == [
        Block("yaml", None, "x: 1\n", 2),
        Block("text", None, "```bash\nexit 1\n```\n", 6),
        Block("python", "a/b.py", "pass\n", 11),
    ]


@pytest.mark.parametrize("code", ["```bash\nfalse\ntrue\n```\n", "```python\nraise ValueError\n```\n"])
def test_a_block_that_fails_is_noticed(code: str, tmp_path: Path, fresh_environment: dict[str, str]) -> None:
    """A failing line in the middle counts."""
    (block,) = blocks(code)
    run = command(block, tmp_path)
    assert run is not None
    assert subprocess.run(run, cwd=tmp_path, env=fresh_environment, capture_output=True).returncode != 0
