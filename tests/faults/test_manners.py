"""Plugins that print, change folders or locales, or reseed generators disturb nobody but themselves."""

from __future__ import annotations

import json
from typing import Any

import pytest

POISON = [(0, 0), (1, 5), (2, 39)]


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
    """After chdir, umask, setlocale and seeding in a plugin the bytes are those of a quiet plugin."""
    pit.documents(poison=POISON, word="POISON")
    tail = [{"id": "split", "uses": "split.by-hash", "with": {"train": 0.5, "test": 0.5}}]
    spec = [pit.read(), pit.faulty("none"), *tail]
    flags = ["--debug"] if debug else []
    assert pit.call(pit.spec(spec), *flags, store="calm").returncode == 0
    result = pit.call(pit.spec([pit.read(), pit.faulty("bewitch"), *tail]), *flags)
    assert result.returncode == 0, result.stderr
    assert pit.tree() == pit.tree("calm")
