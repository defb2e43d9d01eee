"""`corpusmill init`: a project that runs as it is, is complete for an editor, and harms nothing that was there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from corpusmill.cli import main
from corpusmill.cli.init import project_files
from corpusmill.plan.check import check
from corpusmill.plan.editor_schema import MODELINE
from corpusmill.spec.composer import compose
from corpusmill.spec.nodes import plain
from corpusmill.spec.problems import Problems


def init(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(["init", *arguments])
    assert isinstance(caught.value.code, int)
    return caught.value.code


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    assert init("my-corpus") == 0
    return tmp_path / "my-corpus"


def test_the_project_runs_at_once(project: Path) -> None:
    """Inline, without an option; each kind of removal is there to look at, and both languages stay."""
    command = [sys.executable, "-c", "from corpusmill.cli import main; main()", "run", "pipeline.yaml"]
    result = subprocess.run(command, cwd=project, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "executor inline" in result.stdout
    for reason in ("language in [en, zh] 3", "too-few-words", "capital_share 2", "exact_duplicate 2", "near_duplicate"):
        assert reason in result.stdout
    data = (project / "out" / "my-corpus" / "data").glob("*.jsonl")
    rows = [json.loads(line) for path in data for line in path.read_text(encoding="utf-8").splitlines()]
    assert {row["language"] for row in rows} == {"en", "zh"}
    assert any("it doesn't matter" in row["text"] or "it doesn\u2019t matter" in row["text"] for row in rows)


def test_the_project_checks_from_anywhere(project: Path) -> None:
    """The plugin file and the data are found from the spec's folder."""
    assert [step.id for step in check(project / "pipeline.yaml").steps][:2] == ["raw", "clean"]


def test_the_schema_knows_the_projects_own_filter(project: Path) -> None:
    """The first line names it, and it finds nothing wrong."""
    text = (project / "pipeline.yaml").read_text(encoding="utf-8")
    schema = project / text.splitlines()[0].removeprefix(MODELINE)
    problems = Problems()
    validator = Draft7Validator(json.loads(schema.read_text(encoding="utf-8")))
    spec = plain(compose(text, problems))
    assert not list(validator.iter_errors(spec))
    spec["steps"][5]["with"] = {"max_share": 2}
    assert [list(error.absolute_path) for error in validator.iter_errors(spec)] == [["steps", 5, "with", "max_share"]]


def test_readme_and_filter_are_short(project: Path) -> None:
    """Five lines to read, and a filter of at most fifteen lines with its registration apart."""
    assert len((project / "README.md").read_text(encoding="utf-8").splitlines()) == 5
    source = (project / "no_shouting.py").read_text(encoding="utf-8")
    body = source[source.index("class ") : source.index("@hookimpl")]
    assert len([line for line in body.splitlines() if line]) <= 15


def test_nothing_is_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """One file that is there already stops all of it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pipeline.yaml").write_text("mine")
    assert init() == 2
    assert "this folder already has pipeline.yaml" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["pipeline.yaml"]


def test_a_folder_that_cannot_be_made_is_a_message(tmp_path: Path, capsys: Any) -> None:
    """No traceback."""
    (tmp_path / "file").write_text("")
    assert init(str(tmp_path / "file")) == 2
    assert "cannot be written to" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("folder", "name"), [("My Corpus 2", "my-corpus-2"), ("数据", "corpus"), ("..x", "x"), ("a_b", "a-b")]
)
def test_any_folder_gives_a_name_that_a_run_can_have(folder: str, name: str) -> None:
    """Lower-case letters, digits and '-'."""
    assert f"\nname: {name}\n" in project_files(folder)["pipeline.yaml"]


def test_no_word_of_the_templates_is_left(project: Path) -> None:
    """Every placeholder was replaced."""
    for path in project.rglob("*"):
        assert not path.is_file() or "@NAME@" not in path.read_text(encoding="utf-8")
