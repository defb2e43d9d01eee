"""`try` and `preview` on operators that take their process along: they end with an error in four parts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PLUGIN = """
import ctypes, os
from corpusmill import Filter, at_most, hookimpl, option

{top}

class Deadly(Filter):
    class Options(Filter.Options):
        way: str = option("crash", help="how")

    def setup(self):
        if self.options.way == "setup":
            ctypes.string_at(0)

    def measure_text(self, text):
        if "poison" in text:
            if self.options.way == "exit":
                os._exit(7)
            if self.options.way == "break":
                breakpoint()
            else:
                ctypes.string_at(0)
        return {{"length": float(len(text))}}

    def rules(self):
        return [at_most("length", 100)]

@hookimpl
def corpusmill_register(registry):
    registry.filter("deadly", "deadly:Deadly", "Dies.")
"""
LINE = PLUGIN.splitlines().index("                ctypes.string_at(0)") + 1
COMMAND = [sys.executable, "-c", "from corpusmill.cli import main; main()"]
TEXTS = ("--text", "harmless", "--text", "毒 poison", "--text", "later")


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    Path("deadly.py").write_text(PLUGIN.format(top=""))


def said(*arguments: str) -> tuple[int, str]:
    """The command in a process of its own: in one where another test has loaded torch, it forks no child to die."""
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False)
    assert done.stdout == ""
    return done.returncode, done.stderr


def test_a_crash_names_plugin_line_and_document() -> None:
    """How it died, the plugin's own line, the document with its text, and the command that looks into it."""
    told = (
        "filter.deadly crashed (signal 11) on document 2, and took its process along\n"
        f'  at: deadly.py:{LINE}, document 2: "毒 poison"\n'
        "  expected: an operator that returns or raises, whatever the text\n"
        "  next: corpusmill plugins check deadly.py\n"
    )
    assert said("try", "deadly.py", *TEXTS) == (1, told)


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ("exit", "filter.deadly exited with code 7 on document 2, and"),
        ("setup", "filter.deadly crashed (signal 11) while it was set up, and"),
    ],
)
def test_other_deaths_are_told_apart(way: str, words: str) -> None:
    """One that exits by itself, one that dies before the first document."""
    code, text = said("try", "deadly.py", *TEXTS, "--with", f"way={way}")
    assert code == 1
    assert text.startswith(words)


def test_a_file_that_dies_while_it_is_imported_is_named() -> None:
    """Before there is any operator."""
    Path("deadly.py").write_text(PLUGIN.format(top="ctypes.string_at(0)"))
    code, text = said("try", "deadly.py", "--text", "x")
    assert code == 1
    assert text.startswith("deadly.py crashed (signal 11) while it was imported, and took its process along\n")
    assert "  at: deadly.py:5\n" in text


def test_a_preview_names_the_document_of_the_spec() -> None:
    """With its file and offset, and the plugin file as the spec names it."""
    Path("few.jsonl").write_text('{"text": "fine"}\n{"text": "poison"}\n')
    reader = {"id": "read", "uses": "read.jsonl", "with": {"paths": "few.jsonl"}}
    steps = [reader, {"id": "rule", "uses": "filter.deadly"}]
    spec = {"corpusmill": 1, "name": "dying", "plugins": ["./deadly.py"], "steps": steps}
    Path("spec.yaml").write_text(json.dumps(spec))
    code, text = said("preview", "spec.yaml", "rule")
    assert code == 1
    assert text.startswith("filter.deadly crashed (signal 11) on document 2, and took its process along\n")
    assert f'  at: deadly.py:{LINE}, document 2 (few.jsonl @ 17): "poison"\n' in text
    assert "  next: corpusmill plugins check ./deadly.py\n" in text


def test_breakpoints_work() -> None:
    """What is typed reaches the debugger inside the operator."""
    command = [*COMMAND, "try", "deadly.py", *TEXTS, "--with", "way=break"]
    typed = "p 'the text is ' + text\nc\n"
    done = subprocess.run(command, input=typed, capture_output=True, text=True, check=False)
    assert "'the text is 毒 poison'" in done.stdout, done.stderr
    assert "3 documents: 3 kept" in done.stdout
    assert done.returncode == 0
