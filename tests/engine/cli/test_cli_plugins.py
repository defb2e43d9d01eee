"""`corpusmill plugins` and `plugins show`: the table, one page, what is broken."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from corpusmill.cli import main

TOY = Path(__file__).parents[2] / "golden" / "check" / "toy_operators.py"


@pytest.fixture(autouse=True)
def _only_toys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORPUSMILL_NO_PLUGINS", "corpusmill")
    monkeypatch.chdir(TOY.parent)
    monkeypatch.setenv("COLUMNS", "100")


def out(capsys: pytest.CaptureFixture[str], *arguments: str, expected: int = 0) -> str:
    with pytest.raises(SystemExit) as caught:
        main(["plugins", "--file", "toy_operators.py", *arguments])
    captured = capsys.readouterr()
    assert caught.value.code == expected, captured
    return captured.out if expected == 0 else captured.err


def test_the_table_names_summary_and_owner(capsys: pytest.CaptureFixture[str]) -> None:
    """One row an operator, kinds in the order of a pipeline."""
    lines = out(capsys).splitlines()
    assert lines[0].split(maxsplit=1) == ["read.toy", "Reads. (toy_operators.py)"]
    assert [line.split()[0] for line in lines if line.startswith(("train", "write"))] == ["train.toy", "write.toy"]


def test_the_table_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """For scripts, with what is broken."""
    found = json.loads(out(capsys, "--json"))
    assert found["broken"] == []
    assert {one["uses"]: one["summary"] for one in found["operators"]}["filter.short"] == "Drops short documents."


def test_broken_plugins_are_marked(capsys: pytest.CaptureFixture[str]) -> None:
    """They are listed with their cause, and the others still shown."""
    with pytest.raises(SystemExit):
        main(["plugins", "--file", "broken_plugin.py", "--file", "toy_operators.py"])
    captured = capsys.readouterr()
    assert "filter.short" in captured.out
    assert "broken: broken_plugin.py: its import raised RuntimeError: the lexicon server is asleep" in captured.err


def test_a_page_shows_types_units_ranges_and_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    """All that is needed to write the step, and a step to copy."""
    page = out(capsys, "show", "filter.short")
    for line in (
        "takes  documents",
        "makes  documents; by name: removed (documents)",
        "reads  text",
        "  min_words     integer ≥ 0, ≤ 10,000 (words), default 50. Fewest words of a document that stays",
        "  buffer        size (bytes), default 1 MiB. Memory to use",
        '  dialect       one of gopher, datatrove, dolma, default "gopher". Whose rules to follow',
        "  lexicon       text, optional. File with one word a line",
        "  - {uses: filter.short}",
    ):
        assert line in page.splitlines()


def test_a_page_shows_ports_and_required_options(capsys: pytest.CaptureFixture[str]) -> None:
    """The example names ports where there are several, and options that have no default."""
    assert "  - {uses: evaluate.toy, needs: {model: STEP, tokens: STEP}}" in out(capsys, "show", "evaluate.toy")
    page = out(capsys, "show", "train.toy")
    assert "takes  tokens (tokens, split roles train, validation?)" in page
    assert "steps  integer ≥ 1 (steps), required. Steps to train" in page
    assert "  - {uses: train.toy, with: {steps: 1}}" in page


def test_a_page_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """The same facts for tools."""
    facts = json.loads(out(capsys, "show", "annotate.language", "--json"))
    assert facts["adds"] == {"language": "string"}


def test_unknown_operators_name_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, no traceback."""
    assert "nearest: filter.short" in out(capsys, "show", "filter.shrt", expected=2)


def test_operators_that_fail_to_import_say_why(capsys: pytest.CaptureFixture[str]) -> None:
    """The cause stands in the message."""
    said = out(capsys, "show", "filter.unimportable", expected=2)
    assert "No module named 'no_such_module_of_toy'" in said
    assert "Traceback" not in said
