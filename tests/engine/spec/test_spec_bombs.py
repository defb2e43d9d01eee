"""Hostile files get an answer from the event stream: bounded work, no recursion, nothing executed."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from corpusmill.spec import composer, load

LAUGHS = "a: &a [lol, lol]\n" + "".join(f"{b}: &{b} [*{a}, *{a}]\n" for a, b in itertools.pairwise("abcdefghijklmnop"))
BOMBS = {
    "deep list": ("steps: " + "[" * 3000, "nested deeper than 64 levels"),
    "deep mapping": ("steps: " + "{a: " * 3000, "nested deeper than 64 levels"),
    "deep block": ("".join(" " * depth + "a:\n" for depth in range(700)), "nested deeper than 64 levels"),
    "laughs": (LAUGHS, "alias '*a'"),
    "python object": ("name: !!python/object/apply:os.system ['touch owned']", "tag '!!python/object/apply:os.system'"),
    "two megabytes": ("a: " + "x" * 2_000_000, "larger than 1,000,000 bytes"),
    "two documents": ("name: a\n---\nname: b\n", "a second document starts here"),
    "list as key": ("? [a, b]\n: c\n", "a key that is not text"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is a problem of the spec, told as one, and has no effect."""
    monkeypatch.chdir(tmp_path)
    text, said = BOMBS[name]
    Path("bomb.yaml").write_text(text)
    _, problems = load("bomb.yaml", environment={})
    assert any(said in problem.what for problem in problems)
    assert not Path("owned").exists()


def test_deep_nesting_stops_the_reader(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of 3,000 levels only the first 65 are ever looked at."""
    taken = []
    original = composer._Composer.take
    monkeypatch.setattr(composer._Composer, "take", lambda self, event: (taken.append(event), original(self, event)))
    (tmp_path / "bomb.yaml").write_text("[" * 3000)
    load(tmp_path / "bomb.yaml")
    assert len(taken) < 100


FLOODS = {
    "aliases": "steps: [" + "*a, " * 20_000 + "]\n",
    "keys": "steps:\n  - {uses: a.b, " + ", ".join(f"k{number}: 1" for number in range(20_000)) + "}\n",
    "equal keys": "steps:\n  - {uses: a.b, " + "a: 1, " * 20_000 + "}\n",
    "equal ids": "steps:\n" + "  - {id: a, uses: b.c}\n" * 5_000,
}


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_of_problems_is_cut(name: str, tmp_path: Path) -> None:
    """Of thousands a hundred are told, and how many there may be more; comparing each with all would take minutes."""
    (tmp_path / "flood.yaml").write_text("corpusmill: 1\nname: flood\n" + FLOODS[name])
    _, problems = load(tmp_path / "flood.yaml")
    assert len(problems) == 101
    assert problems[-1].what.startswith("there may be ")
    assert max(len(str(problem)) for problem in problems) < 2_000


def test_a_megabyte_of_steps_is_read(tmp_path: Path) -> None:
    """Large honest files are read by the fast parser, with the same places."""
    lines = "".join(f"  - {{id: s{index}, uses: filter.short}}\n" for index in range(2_500))
    (tmp_path / "large.yaml").write_text(f"corpusmill: 1\nname: large\nsteps:\n{lines}  - {{id: s7, uses: b.c}}\n")
    spec, problems = load(tmp_path / "large.yaml")
    assert spec is not None
    assert len(spec.steps) == 2_501
    assert [problem.line for problem in problems] == [11, 2_504]


@pytest.mark.parametrize("content", [b"\xff\xfe", b"name: \xc3\x28", b"", b"- a\n", b"name: \x00", b"7"])
def test_what_is_no_spec_is_told(content: bytes, tmp_path: Path) -> None:
    """Not UTF-8, empty, a list, a NUL, a number: one problem, no spec, no traceback."""
    (tmp_path / "odd.yaml").write_bytes(content)
    spec, problems = load(tmp_path / "odd.yaml")
    assert spec is None
    assert len(problems) == 1


def test_missing_files_and_folders_are_told(tmp_path: Path) -> None:
    """A spec that is not there, or is a folder, is a problem as any other."""
    for path in (tmp_path / "none.yaml", tmp_path):
        spec, problems = load(path)
        assert spec is None
        assert "cannot be read" in problems[0].what


def test_control_characters_do_not_reach_the_terminal(tmp_path: Path) -> None:
    """Escape sequences and direction changes in a file are shown as replacement characters."""
    (tmp_path / "odd.yaml").write_text('corpusmill: 1\nname: a\n"k\\e[31m\u202e": 1\nsteps: []\n', encoding="utf-8")
    _, problems = load(tmp_path / "odd.yaml")
    assert not {"\x1b", "\u202e"} & set("".join(str(problem) for problem in problems))
