"""`corpusmill check`: exit codes, JSON, arguments."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from corpusmill.cli import main

FOLDER = Path(__file__).parents[2] / "golden" / "check"
GOOD = """\
corpusmill: 1
name: ${param:name}
params: {name: {type: text}}
plugins: [./toy_operators.py]
steps:
  - {id: pages, uses: read.toy, with: {paths: data/*.jsonl}}
  - {id: short, uses: filter.short}
"""


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CORPUSMILL_NO_PLUGINS", "corpusmill")
    (tmp_path / "toy_operators.py").write_bytes((FOLDER / "toy_operators.py").read_bytes())
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "one.jsonl").write_text("{}\n")
    (tmp_path / "good.yaml").write_text(GOOD)
    return tmp_path / "good.yaml"


def code(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert isinstance(caught.value.code, int)
    return caught.value.code


def test_a_good_spec_is_ok(spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 0 and one line; params and sets are taken."""
    assert code("check", str(spec), "--param", "name=x", "--set", "short.min_words=3") == 0
    assert capsys.readouterr().out == "ok: 2 steps\n"


def test_a_wrong_spec_exits_with_2(spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The problems go to standard output, their number to standard error."""
    assert code("check", str(spec), "--set", "short.min_wrds=3") == 2
    captured = capsys.readouterr()
    assert "param 'name' has no value" in captured.out
    assert "--set short.min_wrds" in captured.out
    assert captured.err.strip() == "2 problems"


def test_json_holds_places_and_schemas(spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For editors and scripts: the same facts as text."""
    assert code("check", str(spec), "--json") == 2
    (problem,) = json.loads(capsys.readouterr().out)["problems"]
    assert (problem["line"], problem["column"], problem["hint"]) == (3, 10, "--param name=VALUE")
    assert code("check", str(spec), "--json", "--param", "name=x") == 0
    steps = json.loads(capsys.readouterr().out)["steps"]
    assert steps[1]["inputs"] == {"documents": ["pages"]}
    assert steps[1]["schema"]["text"] == "large_string"


def test_profiles_are_checked_too(spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A mistake in the profile is found at its own place."""
    (spec.parent / "profile.yaml").write_text("run: {executr: ray}\n")
    assert code("check", str(spec), "--param", "name=x", "--profile", str(spec.parent / "profile.yaml")) == 2
    assert "profile.yaml:1:7: error: unknown key 'executr'" in capsys.readouterr().out


def test_malformed_params_are_usage_errors(spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--param x` has no value."""
    assert code("check", str(spec), "--param", "name") == 2
    assert "expected NAME=VALUE" in capsys.readouterr().err


def test_a_broken_plugin_is_a_warning_where_the_spec_does_not_name_it(
    spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is installed but not used does not fail a check; it is said."""
    folder = tmp_path / "acme-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text("[corpusmill]\nbad = acme_absent_module\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert code("check", str(spec), "--param", "name=x") == 0
    assert "warning: plugin acme:bad (acme 1.0) cannot be loaded: its import raised" in capsys.readouterr().err


def test_nine_kinds_of_errors_are_told_in_one_go() -> None:
    """In a process of its own, as a user meets it: all nine kinds, each with a place, exit code 2, no traceback."""
    program = "import os, sys; os.chdir(sys.argv.pop(1)); from corpusmill.cli import main; main(sys.argv[1:])"
    command = [sys.executable, "-c", program, str(FOLDER), "check", "nine-errors.yaml"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 2
    kinds = [
        "unknown key 'retries'",
        "no file matches",
        "unknown operator",
        "option min_words",
        "key 'share' stands twice",
        "column 'lang' is made by no step before",
        "steps wait for each other",
        "tag '!!str'",
        "step id 'score' stands twice",
    ]
    assert [kind for kind in kinds if kind not in result.stdout] == []
    assert "Traceback" not in result.stdout + result.stderr
