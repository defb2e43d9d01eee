"""The command line as a whole: lazy commands, exit codes, help, version."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import warnings
from pathlib import Path

import click
import pytest

import corpusmill.cli as cli
from corpusmill.errors import BadRecordLimit, CorpusmillError, Interrupted, StoreError

OWN = ("check", "plugins", "version")


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert isinstance(caught.value.code, int)
    return caught.value.code


def test_help_imports_click_and_nothing_else() -> None:
    """Looked up in sys.modules of a fresh process: no command's module, no plugin machinery, no YAML."""
    program = (
        "import sys\nfrom corpusmill.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit as done: assert done.code == 0\n"
        "ours = {name for name in sys.modules if name.startswith('corpusmill')}\n"
        "assert ours == {'corpusmill', 'corpusmill.cli', 'corpusmill.cli.terminal', 'corpusmill.errors'}, ours\n"
        "assert not {'yaml', 'pluggy', 'pydantic', 'pyarrow', 'numpy'} & set(sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    for name in cli.COMMANDS:
        assert re.search(rf"^  {name} ", result.stdout, re.MULTILINE)


@pytest.mark.parametrize("name", OWN)
def test_each_help_has_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """And the first line of a command's own help needs no table."""
    assert run(name, "--help") == 0
    assert f"Example: corpusmill {name}" in capsys.readouterr().out


def test_unknown_commands_name_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, as every usage error."""
    assert run("chek") == 2
    assert "Did you mean 'check'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (StoreError("the disk is full", where="store", hint="make room"), 1),
        (BadRecordLimit("too many"), 3),
        (Interrupted("stopped"), 130),
        (KeyboardInterrupt(), 130),
        (CorpusmillError("odd \x1b[31m text"), 1),
    ],
)
def test_expected_errors_are_messages_with_a_code(
    error: BaseException, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No traceback, no control characters, the exit code of the error."""

    @click.command()
    def failing() -> None:
        raise error

    monkeypatch.setattr(cli.LazyGroup, "get_command", lambda *_: failing)
    assert run("check") == code
    captured = capsys.readouterr()
    assert captured.err.strip()
    assert "\x1b" not in captured.err
    assert "Traceback" not in captured.err


def test_unexpected_errors_keep_their_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of the program is not dressed up as the user's."""

    @click.command()
    def failing() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(cli.LazyGroup, "get_command", lambda *_: failing)
    with pytest.raises(ZeroDivisionError):
        cli.main(["check"])


def test_what_an_observer_raises_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its class and what it raised, without the line of ours that warns."""
    from types import SimpleNamespace

    import pluggy

    from corpusmill.plugin import hookspecs
    from corpusmill.runner.observers import Observers

    class Tracking:
        @hookspecs.hookimpl
        def corpusmill_run_finished(self, run: dict[str, object]) -> None:
            raise OSError("disk full")

    @click.command()
    def running() -> None:
        manager = pluggy.PluginManager(hookspecs.PROJECT)
        manager.add_hookspecs(hookspecs)
        manager.register(Tracking(), "Tracking")
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            Observers(manager).run_finished({})
            warnings.warn("another", UserWarning, stacklevel=1)

    other = SimpleNamespace(seen=[])
    monkeypatch.setattr(warnings, "showwarning", lambda message, *_, **__: other.seen.append(str(message)))
    monkeypatch.setattr(cli.LazyGroup, "get_command", lambda *_: running)
    assert run("check") == 0
    assert capsys.readouterr().err == "warning: observer Tracking raised OSError: disk full\n"
    assert other.seen == ["another"]


def test_version_names_what_results_depend_on(capsys: pytest.CaptureFixture[str]) -> None:
    """As text and as JSON, the same."""
    from corpusmill import __version__

    assert run("version", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["corpusmill"] == __version__
    assert {"python", "pyarrow", "ray", "torch"} <= set(found)
    assert run("version") == 0
    assert f"corpusmill    {__version__}\n" in capsys.readouterr().out


def test_version_imports_nothing_it_names(tmp_path: Path) -> None:
    """Metadata only."""
    program = (
        "import sys\nfrom corpusmill.cli import main\n"
        "try: main(['version'])\nexcept SystemExit as done: assert done.code == 0\n"
        "from corpusmill.cli.version import NAMES\nassert not set(NAMES) & set(sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
