"""Files and functions stay small enough to read, and each module says what is in the room."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from statistics import median

import pytest

FILE_LINES, MEDIAN_LINES, FUNCTION_LINES = 500, 120, 60
# Spelt in two pieces, so that this file does not find itself.
MARKERS = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"]) + r")\b")


def sources(repository: Path, *roots: str) -> dict[str, str]:
    paths = [path for root in roots for path in sorted((repository / root).rglob("*.py"))]
    return {str(path.relative_to(repository)): path.read_text(encoding="utf-8") for path in paths}


def test_files_are_short(repository: Path) -> None:
    """One subject a file: none above 500 lines."""
    lengths = {name: text.count("\n") for name, text in sources(repository, "engine", "plugins", "tests").items()}
    assert {name: lines for name, lines in lengths.items() if lines > FILE_LINES} == {}


@pytest.mark.parametrize("root", ["engine", "plugins"])
def test_the_usual_file_fits_in_two_screens(repository: Path, root: str) -> None:
    """The median file has at most 120 lines, markers of packages (5 lines or fewer) left out."""
    lengths = [text.count("\n") for text in sources(repository, root).values()]
    assert median(lines for lines in lengths if lines > 5) <= MEDIAN_LINES


def test_functions_are_short(repository: Path) -> None:
    """No function is longer than 60 lines, its docstring included."""
    long = [
        f"{name}:{node.lineno} {node.name}: {node.end_lineno - node.lineno + 1} lines"
        for name, text in sources(repository, "engine", "plugins", "tests").items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno + 1 > FUNCTION_LINES
    ]
    assert not long, "\n".join(long)


def test_every_module_says_what_is_in_the_room(repository: Path) -> None:
    """Each module opens with a docstring whose first line is a whole sentence or a heading of one line."""
    silent = [
        name
        for name, text in sources(repository, "engine", "plugins", "tests", "benchmarks").items()
        if not (ast.get_docstring(ast.parse(text)) or "").strip()
    ]
    assert not silent


def test_nothing_is_left_for_later(repository: Path) -> None:
    """No left-over markers: what is missing is an issue, not a comment."""
    marked = [
        f"{name}:{number}: {line.strip()}"
        for name, text in sources(repository, "engine", "plugins", "tests", "benchmarks").items()
        for number, line in enumerate(text.splitlines(), 1)
        if MARKERS.search(line)
    ]
    assert not marked, "\n".join(marked)


def test_every_test_states_its_claim(repository: Path) -> None:
    """One claim a test, in its docstring."""
    silent = [
        f"{name}:{node.lineno} {node.name}"
        for name, text in sources(repository, "tests").items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and not ast.get_docstring(node)
        if not any("fixture" in ast.unparse(decorator) for decorator in node.decorator_list)
    ]
    assert not silent, "\n".join(silent)
