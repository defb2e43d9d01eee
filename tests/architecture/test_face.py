"""The public face: what `from corpusmill import ...` offers, no more and no less."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import corpusmill

FACE = ast.parse(Path(corpusmill.__file__).read_text(encoding="utf-8"))


def defined() -> set[str]:
    """The public names that the face itself binds: constants and functions at its top level."""
    names = {node.name for node in FACE.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    for node in FACE.body:
        if isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return {name for name in names if not name.startswith("_")} | {"__version__"}


def test_public_names_are_listed() -> None:
    """`__all__` is what the face loads on first use plus what it defines itself, each name once.

    But `open`: a star import must not put it in the place of Python's own.
    """
    assert set(corpusmill.__all__) == (set(corpusmill._HOME) | defined()) - {"open"}
    assert len(corpusmill.__all__) == len(set(corpusmill.__all__))


@pytest.mark.parametrize("name", corpusmill.__all__)
def test_every_public_name_loads(name: str) -> None:
    """A name in `__all__` can be imported, and what it is has documentation where it can have any."""
    value = getattr(corpusmill, name)
    assert not isinstance(value, type) or value.__doc__


def test_type_checkers_and_the_loader_agree() -> None:
    """The imports under TYPE_CHECKING name the same homes as the table that loads them."""
    block = next(node for node in FACE.body if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test))
    typed = {
        alias.name: (node.module or "").removeprefix("corpusmill.")
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert typed == corpusmill._HOME


def test_importing_the_face_costs_nothing() -> None:
    """`import corpusmill` loads none of its rooms."""
    program = "import sys, corpusmill; print([name for name in sys.modules if name.startswith('corpusmill.')])"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
