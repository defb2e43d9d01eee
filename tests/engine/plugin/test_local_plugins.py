"""Plugin files travel as bytes and are the same module in every process."""

from __future__ import annotations

import base64
import subprocess
import sys
from pathlib import Path

import pytest

from corpusmill.errors import PluginError
from corpusmill.plugin.finder import LocalPlugin, load_registry
from corpusmill.plugin.identity import code_identity
from corpusmill.plugin.resolve import resolve

SOURCE = """\
from __future__ import annotations
from corpusmill import Filter, at_most, hookimpl

class NoEmoji(Filter):
    "Drop emoji."
    def measure_text(self, text):
        return {"emoji": sum(ord(letter) > 0x1F000 for letter in text)}
    def rules(self):
        return [at_most("emoji", 0)]

@hookimpl
def corpusmill_register(registry):
    registry.filter("no-emoji", "my_filter:NoEmoji", "Drop emoji.")
    registry.filter("same", ":NoEmoji", "The same.")
    registry.filter("class", NoEmoji, "The same.")
"""


@pytest.fixture
def plugin(tmp_path: Path) -> LocalPlugin:
    (tmp_path / "my_filter.py").write_text(SOURCE)
    return LocalPlugin.read("./my_filter.py", tmp_path)


def test_targets_may_name_the_file_or_nothing(plugin: LocalPlugin) -> None:
    """`my_filter:NoEmoji`, `:NoEmoji` and the class itself are one class of one module."""
    registry = load_registry([plugin])
    found = {resolve(registry.lookup(f"filter.{name}")) for name in ("no-emoji", "same", "class")}
    assert len(found) == 1
    assert found.pop().__module__ == plugin.module == f"corpusmill_local_{plugin.hash}"


def test_the_name_follows_the_bytes(plugin: LocalPlugin, tmp_path: Path) -> None:
    """Not the place; changed bytes are another module and another identity."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "renamed.py").write_text(SOURCE)
    assert LocalPlugin.read("renamed.py", tmp_path / "elsewhere").module == plugin.module
    (tmp_path / "my_filter.py").write_text(SOURCE + "\n")
    changed = LocalPlugin.read("my_filter.py", tmp_path)
    assert changed.module != plugin.module
    identities = []
    for one in (plugin, changed):
        registered = load_registry([one]).lookup("filter.same")
        identities.append(code_identity(registered, resolve(registered)))
    assert len(set(identities)) == 2
    assert identities[0] == f"file-{plugin.hash}:1"


def test_another_process_needs_only_the_bytes(plugin: LocalPlugin, tmp_path: Path) -> None:
    """Without the file, without its folder, a class is imported by module name, as pickling by reference does."""
    program = (
        "import base64, importlib, sys\nfrom corpusmill.plugin.finder import LocalPlugin, load_registry\n"
        "plugin = LocalPlugin('./my_filter.py', sys.argv[1], base64.b64decode(sys.argv[2]))\n"
        "load_registry([plugin])\n"
        "operator = getattr(importlib.import_module(plugin.module), 'NoEmoji')()\n"
        "assert operator.measure_text('a\\U0001F600') == {'emoji': 1}"
    )
    (tmp_path / "my_filter.py").unlink()
    arguments = [plugin.hash, base64.b64encode(plugin.source).decode()]
    result = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 0, result.stderr


def test_tracebacks_show_the_plugins_lines(plugin: LocalPlugin) -> None:
    """The source is found though the module has no file."""
    import inspect

    registered = load_registry([plugin]).lookup("filter.same")
    assert "emoji" in inspect.getsource(resolve(registered).measure_text)  # type: ignore[attr-defined]


def test_a_file_that_fails_is_broken_and_forgotten(tmp_path: Path) -> None:
    """The half-made module does not stay importable."""
    (tmp_path / "bad.py").write_text("import os\nraise RuntimeError('asleep')\n")
    plugin = LocalPlugin.read("bad.py", tmp_path)
    registry = load_registry([plugin])
    assert [(one.origin.name, one.cause) for one in registry.broken] == [
        ("bad.py", "its import raised RuntimeError: asleep")
    ]
    assert plugin.module not in sys.modules


def test_syntax_errors_are_causes(tmp_path: Path) -> None:
    """A file that is not Python is a broken plugin, not a crash."""
    (tmp_path / "bad.py").write_text("def broken(:\n")
    assert "SyntaxError" in load_registry([LocalPlugin.read("bad.py", tmp_path)]).broken[0].cause


def test_missing_files_are_errors(tmp_path: Path) -> None:
    """A plugin file that cannot be read is named."""
    with pytest.raises(PluginError, match=r"'none\.py' cannot be read"):
        LocalPlugin.read("none.py", tmp_path)


def test_files_named_twice_register_once(plugin: LocalPlugin) -> None:
    """The same bytes under two names are one plugin."""
    assert load_registry([plugin, plugin]).broken == []
