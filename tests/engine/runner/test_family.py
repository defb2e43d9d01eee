"""Processes are looked at while they end: what vanishes on the way has no children, and is no error."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from corpusmill.runner import family


def test_a_process_that_ends_under_the_eye_has_no_children(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel answers `no such process` in the middle of the list: below it there is nobody."""

    def gone(folder: Path) -> list[Path]:
        raise ProcessLookupError(3, "No such process")

    monkeypatch.setattr(Path, "iterdir", gone)
    assert list(family.below([os.getpid()])) == [os.getpid()]


def test_children_are_found() -> None:
    """A child that lives is below its parent, with the mark of its start."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        assert family.below([os.getpid()])[child.pid] == family.process_start(child.pid)
    finally:
        child.communicate()
