"""Ctrl-C while Python still imports: a word and exit code 130, whatever was being imported."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import os, signal, sys

module = sys.argv.pop(1)
# Whoever starts tests in the background has it ignored.
signal.signal(signal.SIGINT, signal.{before})


class Struck:
    def find_spec(self, name, path=None, target=None):
        if name == module:
            print("struck", flush=True)
            os.kill(os.getpid(), signal.SIGINT)


sys.meta_path.insert(0, Struck())
from corpusmill.entry import main

main()
"""


def struck(module: str, *words: str, before: str = "default_int_handler") -> subprocess.CompletedProcess[str]:
    """Type a command in a process of its own that sends itself SIGINT when a module begins to import."""
    command = [sys.executable, "-c", PROGRAM.replace("{before}", before), module, *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("corpusmill.cli", ["--help"]),
        ("click", ["--help"]),
        ("corpusmill.errors", ["version"]),
        ("corpusmill.cli.run", ["run", "spec.yaml"]),
        ("yaml", ["check", "spec.yaml"]),
    ],
)
def test_stopped_while_importing(module: str, words: list[str], tmp_path: Path) -> None:
    """No traceback, nothing on stdout but the mark that the place was met."""
    ended = struck(module, *[word.replace("spec.yaml", str(tmp_path / "spec.yaml")) for word in words])
    assert (ended.stdout, ended.stderr.strip(), ended.returncode) == ("struck\n", "stopped", 130)


def test_a_signal_that_was_ignored_stays_ignored() -> None:
    """Under nohup, or in the background of a script, Ctrl-C is not meant for this process."""
    ended = struck("click", "version", before="SIG_IGN")
    assert ended.returncode == 0
    assert ended.stdout.startswith("struck\n")
    assert "stopped" not in ended.stderr


def test_the_handler_is_gone_when_a_command_is_at_work() -> None:
    """Commands tidy up behind a KeyboardInterrupt, or hear signals themselves."""
    probe = "import corpusmill.cli as cli, signal; cli.main = lambda: print(signal.getsignal(signal.SIGINT).__name__)"
    program = f"{probe}; from corpusmill.entry import main; main()"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == signal.default_int_handler.__name__


def test_a_signal_while_python_closes_down_changes_no_exit_code(tmp_path: Path) -> None:
    """The command has ended and said how; a Ctrl-C that comes late is nobody's any more."""
    late = "import atexit, os, signal; atexit.register(lambda: os.kill(os.getpid(), signal.SIGINT))"
    program = f"{late}; from corpusmill.entry import main; main()"
    command = [sys.executable, "-c", program, "check", str(tmp_path / "missing.yaml")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
