"""`corpusmill plugins new`: what it writes is in style, installs, is found, and passes its own test."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from corpusmill.cli import main
from corpusmill.cli.plugins_new import TEMPLATES, plugin_files
from corpusmill.plugin.registry import KINDS


def new(capsys: pytest.CaptureFixture[str], *arguments: str, expected: int = 0) -> str:
    with pytest.raises(SystemExit) as caught:
        main(["plugins", "--no-plugin", "corpusmill", "new", *arguments])
    captured = capsys.readouterr()
    assert (caught.value.code or 0) == expected, captured
    return captured.out if expected == 0 else captured.err


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("kind", TEMPLATES)
def test_the_plugin_of_each_kind_passes_its_own_test(kind: str, folder: Path) -> None:
    """The contract kit and an example, as a stranger would run them."""
    write(kind, "my-rule", folder)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(folder), str(folder)]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout[-5000:] + result.stderr


@pytest.mark.parametrize("kind", TEMPLATES)
def test_what_is_written_is_in_style(kind: str, folder: Path, repository: Path) -> None:
    """By the rules of this project, and formatted."""
    write(kind, "my-rule", folder)
    rules = tomllib.loads((repository / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    # A class attribute needs no type in a plugin, nor does the future have to be imported.
    checks = ["--select", ",".join(rules["select"]), "--ignore", ",".join([*rules["ignore"], "FA", "RUF012"])]
    alone = ["--isolated", "--no-cache", "--line-length", "120", "--target-version", "py311"]
    for command in (["check", *alone, *checks, "."], ["format", "--check", *alone, "."]):
        result = subprocess.run([sys.executable, "-m", "ruff", *command], cwd=folder, capture_output=True, text=True)
        assert result.returncode == 0, result.stdout


def test_it_installs_and_is_found(folder: Path, fresh_environment: dict[str, str]) -> None:
    """By pip, editable or not, through its entry point, beside the built-ins."""
    for kind, name, flags in (("filter", "my-rule", ["--editable"]), ("train", "my-model", [])):
        write(kind, name, folder / name)
        install = ["pip", "install", "--quiet", *flags, f"./{name}"]
        result = subprocess.run(install, cwd=folder, env=fresh_environment, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
    listing, schema = (
        subprocess.run(["corpusmill", what], cwd=folder, env=fresh_environment, capture_output=True, text=True).stdout
        for what in ("plugins", "schema")
    )
    assert "Drop documents that are mostly capitals. (my-rule 0.1.0)" in " ".join(listing.split())
    assert "(my-model 0.1.0)" in listing
    assert "filter.length" in listing
    assert {"filter.my-rule", "train.my-model", "filter.length"} <= json.loads(schema)["definitions"].keys()


def test_the_command_writes_and_says_what_next(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Into a folder of the plugin's name."""
    said = new(capsys, "filter", "my-rule")
    assert {path.name for path in (folder / "my-rule").iterdir()} == set(plugin_files("filter", "my-rule"))
    assert "pip install -e my-rule" in said
    assert "uses: filter.my-rule" in said


def test_nothing_is_overwritten(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Not even one file of the three; and none is written beside it."""
    (folder / "there").mkdir()
    (folder / "there" / "pyproject.toml").write_text("mine")
    assert "already has pyproject.toml" in new(capsys, "clean", "my-rule", "there", expected=2)
    assert [path.name for path in (folder / "there").iterdir()] == ["pyproject.toml"]


@pytest.mark.parametrize("name", ["My-Rule", "my_rule", "1-rule", "../rule", "json", "class", "my--rule", ""])
def test_names_that_would_not_do_are_refused(name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What no spec could name, and what would hide a module of Python's own."""
    new(capsys, "filter", name, expected=2)
    assert list(folder.iterdir()) == []


def test_kinds_have_two_names_and_misspelt_ones_a_hint(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`clean` of the spec and `cleaner` of the registry are one; the nearest is named; `mix` has no template."""
    assert "uses: clean.my-rule" in new(capsys, "cleaner", "my-rule")
    assert "next: corpusmill plugins new filter NAME" in new(capsys, "filtr", "other", expected=2)
    assert "no template for kind 'mix'" in new(capsys, "mix", "other", expected=2)


def test_names_that_are_taken_are_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The owner is named."""
    with pytest.raises(SystemExit) as caught:
        main(["plugins", "new", "filter", "length"])
    assert caught.value.code == 2
    assert "'filter.length' is taken by corpusmill" in capsys.readouterr().err


def test_every_kind_that_has_a_class_of_its_own_has_a_template() -> None:
    """The kinds left out are named with the reason in the module."""
    assert set(KINDS) - set(TEMPLATES) == {"load", "mix", "predict"}


def write(kind: str, name: str, folder: Path) -> None:
    for file, text in plugin_files(kind, name).items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(text, encoding="utf-8")
