"""Plugins that print, change folders or locales, or reseed generators disturb nobody but themselves."""

from __future__ import annotations

import json
import os
import random
import signal
from pathlib import Path
from typing import Any

import pytest

POISON = [(0, 0), (1, 5), (2, 39)]
AT_IMPORT = """
os.chdir("/")
os.umask(0o077)
locale.setlocale(locale.LC_ALL, "C")
signal.signal(signal.SIGTERM, signal.SIG_DFL)
sys.setrecursionlimit(5000)
"""


@pytest.mark.parametrize("mode", [[], ["--debug"]])
def test_prints_do_not_reach_the_answer(pit: Any, mode: list[str]) -> None:
    """What a plugin prints, at import and at work, goes to stderr; stdout is one JSON document."""
    with (pit.root / "faulty.py").open("a") as plugin:
        plugin.write('\nprint("printed at import")\n')
    pit.documents(poison=POISON, word="POISON")
    result = pit.call(pit.spec([pit.read(), pit.faulty("print")]), "--json", *mode)
    assert result.returncode == 0, result.stderr
    if mode:
        result.stdout = result.stdout.replace("written by a plugin\n", "")  # straight to the descriptor, in process
    assert json.loads(result.stdout)["status"] == "done"
    assert "printed by a plugin" in result.stderr
    assert "printed at import" in result.stderr


@pytest.mark.parametrize("debug", [False, True])
def test_the_engine_keeps_its_bearings(pit: Any, debug: bool) -> None:
    """After chdir, umask, setlocale, seeding and more in a plugin the bytes are those of a quiet plugin."""
    pit.documents(poison=POISON, word="POISON")
    tail = [{"id": "split", "uses": "split.by-hash", "with": {"train": 0.5, "test": 0.5}}]
    pit.run([pit.read(), pit.faulty("none"), *tail], store="calm", debug=True)
    spec = pit.spec([pit.read(), pit.faulty("bewitch"), *tail])
    assert pit.call(spec, *(["--debug"] if debug else [])).returncode == 0
    assert pit.tree() == pit.tree("calm")


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("imported", [False, True])
def test_neighbours_find_everything_as_it_was(pit: Any, debug: bool, imported: bool) -> None:
    """What a plugin does to the process, while it is imported and on each document, the next one in line never sees."""
    if imported:
        with (pit.root / "faulty.py").open("a") as plugin:
            plugin.write(AT_IMPORT)
    pit.documents(files=1, poison=[(0, row) for row in range(40)], word="POISON")
    witness = {"id": "look", "uses": "annotate.witness"}
    mask = os.umask(0o022)
    os.umask(mask)
    before = Path.cwd(), random.getstate(), signal.getsignal(signal.SIGTERM)
    outputs = pit.run([pit.read(), pit.faulty("bewitch"), witness], debug=debug, run={"batch_bytes": 512}).outputs
    assert {row["seen"] for row in pit.rows(outputs, "look")} == {""}
    assert (Path.cwd(), random.getstate(), signal.getsignal(signal.SIGTERM)) == before
    assert os.umask(mask) == mask


def test_a_witness_sees_what_is_not_put_back(pit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same without the engine's care: the test above would fail."""
    from corpusmill.plugin.surroundings import Surroundings

    monkeypatch.setattr(Surroundings, "restore", lambda self: None)
    undo = Surroundings()
    monkeypatch.setattr(signal, "alarm", lambda seconds: 0)
    pit.documents(files=1, poison=[(0, 0)], word="POISON")
    witness = {"id": "look", "uses": "annotate.witness"}
    try:
        outputs = pit.run([pit.read(), pit.faulty("bewitch"), witness], debug=True).outputs
    finally:
        monkeypatch.undo()
        undo.restore()
    (seen,) = {row["seen"] for row in pit.rows(outputs, "look")}
    assert set(seen.split()) == {
        "folder", "umask", "locale", "environment", "signals", "recursion", "errors", "random", "numpy"
    } | ({"torch"} if "torch" in seen else set())  # fmt: skip


def test_a_folder_that_is_gone_is_nobodys_fault(pit: Any) -> None:
    """A plugin that removes the folder it stands in costs no document."""
    with (pit.root / "faulty.py").open("a") as plugin:
        plugin.write("\n\ndef vanish():\n    os.mkdir('/tmp/vanishing-%d' % os.getpid())\n")
        plugin.write("    os.chdir('/tmp/vanishing-%d' % os.getpid())\n    os.rmdir(os.getcwd())\n")
        plugin.write("\n\nACTIONS['bewitch'] = vanish\n")
    pit.documents(files=1, poison=[(0, 0), (0, 9)], word="POISON")
    assert pit.run([pit.read(), pit.faulty("bewitch")]).outputs["quarantine"] == 0
