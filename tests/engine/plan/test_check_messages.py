"""What the check says, word for word: one spec and one text a class of errors, in tests/golden/check."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from corpusmill.errors import SpecError
from corpusmill.plan.check import check

FOLDER = Path(__file__).parents[2] / "golden" / "check"
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))


def messages(name: str) -> str:
    """Check one golden spec without any built-in and return what is said."""
    with pytest.raises(SpecError) as caught:
        check(f"{name}.yaml", blocked=("corpusmill",), environment={})
    return f"{caught.value}\n"


@pytest.mark.parametrize("name", NAMES)
def test_messages_are_as_written_down(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every problem with its place, excerpt, caret, expectation, nearest name and next step, in order of position.

    `CORPUSMILL_UPDATE_GOLDEN=1` writes the texts anew; read the difference before committing it.
    """
    monkeypatch.chdir(FOLDER)
    said, golden = messages(name), FOLDER / f"{name}.txt"
    if os.environ.get("CORPUSMILL_UPDATE_GOLDEN"):
        golden.write_text(said, encoding="utf-8")
    assert said == golden.read_text(encoding="utf-8")


def test_messages_hold_no_path_of_this_machine() -> None:
    """Golden texts are the same wherever the tree lies."""
    assert NAMES
    for name in NAMES:
        assert str(FOLDER.parent) not in (FOLDER / f"{name}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("golden", sorted(FOLDER.glob("*.txt")), ids=lambda golden: golden.stem)
def test_each_problem_of_a_file_says_what_to_do_next(golden: Path) -> None:
    """A command to type, or the change to make; overrides of the command line are their own place."""
    told = golden.read_text(encoding="utf-8").split("\n\n")
    assert told
    for one in told:
        assert "\n  next: " in one or not re.match(r"\S+\.yaml:\d+:\d+", one), one
