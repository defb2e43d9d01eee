"""Commands that the documents tell of exist: every `corpusmill …` in them, in blocks that do not run and in prose."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

import corpusmill.cli as cli

REPOSITORY = Path(__file__).parents[2]
TEMPLATES = REPOSITORY / "engine" / "corpusmill" / "cli" / "templates"
DOCUMENTS = [
    *sorted(REPOSITORY.glob("README*.md")),
    *sorted((REPOSITORY / "docs").glob("*.md")),
    *sorted(REPOSITORY.glob("*/README.md")),
    *sorted(TEMPLATES.rglob("*.txt")),
]
# A line of a block (indented, or after a prompt) or of a comment, or code inside a sentence.
TOLD = re.compile(r"^(?: +|# *|\$ +)+corpusmill +([a-z][^\n]*)$|`corpusmill +([a-z][^`\n]*)`", re.M)
WORD = re.compile(r"--?[a-zA-Z][a-z-]*|[a-z]+")


def told(text: str) -> list[str]:
    """What stands behind `corpusmill`, without comments."""
    return [(line or code).partition(" #")[0].strip() for line, code in TOLD.findall(text)]


def unknown(line: str) -> list[str]:
    """Words of a command line that name no command and no option."""
    try:
        words = shlex.split(line)
    except ValueError:
        return []  # prose that begins with the name
    group: click.Command = cli.corpusmill
    context = click.Context(group, info_name="corpusmill")
    options = {"--help", "-h"}
    while isinstance(group, click.Group) and words and not words[0].startswith("-"):
        found = group.get_command(context, words[0])
        if found is None:
            return [] if not isinstance(group, cli.LazyGroup) else [words[0]]
        group, words = found, words[1:]
        options |= {name for one in group.params for name in (*one.opts, *one.secondary_opts)}
    given = [word.partition("=")[0] for word in words if word.startswith("-")]
    return [word for word in given if WORD.fullmatch(word) and word not in options]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_commands_and_options_that_are_told_exist(document: Path) -> None:
    """A renamed option must not live on in a guide."""
    wrong = {line: unknown(line) for line in told(document.read_text(encoding="utf-8"))}
    assert {line: words for line, words in wrong.items() if words} == {}


def test_misspelt_commands_and_options_are_noticed() -> None:
    """In a block, a comment and a sentence."""
    text = "    corpusmill rnu x.yaml\n# corpusmill run x.yaml --exector ray\nSo `corpusmill plugins new --flie y`.\n"
    assert [unknown(line) for line in told(text)] == [["rnu"], ["--exector"], ["--flie"]]
