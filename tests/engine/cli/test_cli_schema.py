"""`corpusmill schema`: printed or written, with plugin files, and nobody's work overwritten."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft7Validator

from corpusmill.cli import main

PLUGIN = """
from corpusmill import Filter, at_most, hookimpl

class Short(Filter):
    def measure_text(self, text):
        return {"length": len(text)}
    def rules(self):
        return [at_most("length", 10)]

@hookimpl
def corpusmill_register(registry):
    registry.filter("short", "short_texts:Short", "Short ones.")
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(capsys: pytest.CaptureFixture[str], *arguments: str, expected: int = 0) -> str:
    with pytest.raises(SystemExit) as caught:
        main(["schema", *arguments])
    captured = capsys.readouterr()
    assert caught.value.code == expected, captured
    return captured.out if expected == 0 else captured.err


def test_the_schema_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing but JSON on standard output, and a sound schema."""
    Draft7Validator.check_schema(json.loads(run(capsys)))


def test_operators_of_a_plugin_file_belong_to_it(capsys: pytest.CaptureFixture[str]) -> None:
    """So that a spec with `plugins: [./short_texts.py]` is completed and not marked."""
    Path("short_texts.py").write_text(PLUGIN)
    said = run(capsys, "--file", "./short_texts.py", "--output", "x.json", "--no-plugin", "corpusmill")
    assert said == "wrote x.json: 1 operators\n"
    step = {"uses": "filter.short", "with": {}}
    validator = Draft7Validator(json.loads(Path("x.json").read_text()))
    assert validator.is_valid({"corpusmill": 1, "name": "x", "steps": [step]})
    assert not validator.is_valid({"corpusmill": 1, "name": "x", "steps": [{"uses": "filter.length"}]})


def test_a_schema_is_replaced_and_other_files_are_not(capsys: pytest.CaptureFixture[str]) -> None:
    """`--output pipeline.yaml` by mistake costs nobody a pipeline."""
    Path("x.json").write_text('{"$schema": "old"}')
    run(capsys, "-o", "x.json", "--no-plugin", "corpusmill")
    assert '"old"' not in Path("x.json").read_text()
    Path("pipeline.yaml").write_text("corpusmill: 1\n")
    assert "is not a JSON Schema" in run(capsys, "-o", "pipeline.yaml", expected=2)
    assert Path("pipeline.yaml").read_text() == "corpusmill: 1\n"


def test_plugins_that_cannot_be_loaded_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    """On standard error; the schema of the others is made."""
    Path("broken.py").write_text("raise RuntimeError('asleep')")
    with pytest.raises(SystemExit):
        main(["schema", "--file", "broken.py", "--no-plugin", "corpusmill"])
    captured = capsys.readouterr()
    assert "asleep" in captured.err
    Draft7Validator.check_schema(json.loads(captured.out))
