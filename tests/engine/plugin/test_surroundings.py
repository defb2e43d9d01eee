"""What plugins share of a process is put back, each thing by itself."""

from __future__ import annotations

import locale
import os
import random
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from corpusmill.plugin.surroundings import Surroundings, undisturbed


def mask() -> int:
    """Return the umask, which can only be looked at by setting it."""
    held = os.umask(0o022)
    os.umask(held)
    return held


CHANGES: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
    "folder": (Path.cwd, lambda: os.chdir("/")),
    "mask": (mask, lambda: os.umask(0o077)),
    "locale": (lambda: locale.setlocale(locale.LC_ALL), lambda: locale.setlocale(locale.LC_ALL, "C")),
    "changed variable": (lambda: os.environ.get("HOME"), lambda: os.environ.update(HOME="/nowhere")),
    "removed variable": (lambda: os.environ.get("PATH"), lambda: os.environ.pop("PATH")),
    "handler": (lambda: signal.getsignal(signal.SIGTERM), lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN)),
    "recursion": (sys.getrecursionlimit, lambda: sys.setrecursionlimit(4321)),
    "errors": (np.geterr, lambda: np.seterr(all="raise")),
    "random": (random.getstate, lambda: random.seed(1)),
    "draw": (random.getstate, random.random),
    "numpy": (lambda: np.random.get_state()[1].tolist(), lambda: np.random.seed(1)),  # noqa: NPY002 - the fault
    "numpy's draw": (lambda: np.random.get_state()[2], lambda: np.random.random(7)),  # noqa: NPY002 - the fault
}
NOT_WHILE_LOADING = ("changed variable", "removed variable", "errors", "random", "draw", "numpy", "numpy's draw")


@pytest.mark.parametrize("name", CHANGES)
def test_it_is_put_back(name: str) -> None:
    """And again, when it is changed once more."""
    look, change = CHANGES[name]
    np.random.seed(int(np.random.random() * 1000))  # noqa: NPY002 - so that a seed of 1 is a change
    before, surroundings = look(), Surroundings()
    for _ in range(2):
        change()
        assert look() != before
        surroundings.restore()
        assert look() == before


@pytest.mark.parametrize("name", CHANGES)
def test_loading_a_library_may_change_what_is_its_own(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables and generators stay as a library that is imported sets them; the rest is put back then, too."""
    look, change = CHANGES[name]
    around, before = Surroundings(), look()
    try:
        with undisturbed():
            change()
        assert (look() == before) == (name not in NOT_WHILE_LOADING)
    finally:
        around.restore()


def test_new_variables_stay() -> None:
    """Libraries set theirs when they are first used."""
    surroundings = Surroundings()
    os.environ["CORPUSMILL_TEST_NEW"] = "1"
    surroundings.restore()
    assert os.environ.pop("CORPUSMILL_TEST_NEW") == "1"


def test_an_alarm_that_is_left_does_not_ring() -> None:
    """It would end whatever comes after the plugin; one that was set before is left alone."""
    surroundings = Surroundings()
    signal.alarm(600)
    surroundings.restore()
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
    signal.alarm(600)
    Surroundings().restore()
    assert signal.alarm(0) > 0


def test_a_folder_that_is_gone_is_left(tmp_path: Path) -> None:
    """Where there is no way back nothing is raised: it is no document's fault."""
    home = Path.cwd()
    try:
        (tmp_path / "gone").mkdir()
        os.chdir(tmp_path / "gone")
        surroundings = Surroundings()
        os.chdir("/")
        (tmp_path / "gone").rmdir()
        surroundings.restore()
        assert Path.cwd() == Path("/")
    finally:
        os.chdir(home)


def test_torch_is_put_back() -> None:
    """Its global generator, where it is loaded; nothing is loaded for the sake of looking."""
    if "torch" not in sys.modules:
        Surroundings().restore()
        assert "torch" not in sys.modules
    torch = pytest.importorskip("torch")
    before, surroundings = torch.get_rng_state(), Surroundings()
    torch.manual_seed(1)
    torch.rand(3)
    surroundings.restore()
    assert torch.equal(torch.get_rng_state(), before)
