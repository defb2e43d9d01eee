"""`corpusmill.run`: a mapping or a file, overrides, typed results, errors in four parts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

import corpusmill
from corpusmill.face.running import Run


def small(path: Path, **more: Any) -> dict[str, Any]:
    """One reader and one filter."""
    (path / "few.jsonl").write_text("".join(json.dumps({"text": "word " * count}) + "\n" for count in range(1, 9)))
    steps = [
        {"id": "raw", "uses": "read.jsonl", "with": {"paths": str(path / "few.jsonl")}},
        {"id": "by-length", "uses": "filter.length", "with": {"min_words": 3}},
    ]
    return {"corpusmill": 1, "name": "small", "steps": steps, **more}


def test_a_run_tells_what_it_made(done: Run) -> None:
    """Status, counts by reason that add up, outputs with kinds, datasets that open."""
    assert done.status == "done"
    assert done.executor == "debug"
    assert (done.folder / "report.html").is_file()
    long, exact = done.counts["long"], done.counts["exact"]
    assert (long.read, long.kept, dict(long.removed)) == (120, 112, {"too-few-words": 8})
    assert exact.kept + sum(exact.removed.values()) == exact.read == 112
    kinds = {name: one.kind for name, one in done.outputs.items()}
    assert kinds["split"] == "documents"
    assert (kinds["words"], kinds["tokens"], kinds["out"]) == ("tokenizer", "tokens", "files")
    assert len(done.dataset("split")) == exact.kept == done.outputs["split"].rows
    assert len(done.dataset("exact.removed")) == sum(exact.removed.values())
    assert set(done.datasets) == {name for name, kind in kinds.items() if kind == "documents"}
    assert done.artifact("words").kind == "tokenizer"
    assert (done.artifact("words").path / "tokenizer.json").is_file()


def test_a_mapping_is_recorded_as_a_spec(done: Run) -> None:
    """What ran can be read, and run, from the run's folder."""
    recorded = yaml.safe_load((done.folder / "spec.yaml").read_text())
    assert recorded["name"] == "reviews"
    assert [step["id"] for step in recorded["steps"]][:2] == ["raw", "long"]


def test_overrides_name_steps_and_options(tmp_path: Path) -> None:
    """As a mapping by step and as dotted paths, values as they are; the same options as `--set` has."""
    kept = {}
    for name, overrides in {
        "spec": {},
        "mapping": {"by-length": {"min_words": 6}},
        "dotted": {"by-length.min_words": 6},
    }.items():
        kept[name] = corpusmill.run(small(tmp_path), store=tmp_path / "store", debug=True, **overrides)
    assert {name: one.counts["by-length"].kept for name, one in kept.items()} == {
        "spec": 6,
        "mapping": 3,
        "dotted": 3,
    }
    assert kept["mapping"].outputs["by-length"].digest == kept["dotted"].outputs["by-length"].digest


def test_settings_of_a_run_are_arguments(tmp_path: Path) -> None:
    """`until` leaves steps out, `limit` takes few documents, `params` fill in the spec."""
    spec = small(tmp_path, params={"least": {"type": "int"}})
    spec["steps"][1]["with"]["min_words"] = "${param:least}"
    done = corpusmill.run(spec, store=tmp_path / "store", debug=True, params={"least": 2}, limit=4, until="by-length")
    assert (done.counts["by-length"].read, done.counts["by-length"].kept) == (4, 3)


def test_wrong_specs_raise_all_their_problems(tmp_path: Path) -> None:
    """Each with what, where, expected and nearest, as the command line tells them."""
    with pytest.raises(corpusmill.SpecError) as caught:
        corpusmill.run(small(tmp_path), store=tmp_path / "store", **{"by-length": {"min_wrds": 2}, "nope": {"a": 1}})
    told = {problem.what: problem for problem in caught.value.problems}
    assert told["unknown option 'min_wrds' of filter.length"].nearest == "min_words"
    assert any(what.startswith("unknown step 'nope'") for what in told)
    assert not (tmp_path / "store").exists()


def test_values_no_spec_could_hold_are_refused(tmp_path: Path) -> None:
    """Named by the path of the override."""
    with pytest.raises(corpusmill.SpecError, match="object is not a value a spec can hold"):
        corpusmill.run(small(tmp_path), **{"by-length.min_words": object()})


def test_what_stops_a_run_is_raised(tmp_path: Path) -> None:
    """A damaged file: an InputError with its four parts; nothing is returned."""
    spec = small(tmp_path)
    (tmp_path / "few.jsonl.gz").write_bytes(b"\x1f\x8b\x08\x00 this is no gzip")
    spec["steps"][0]["with"]["paths"] = str(tmp_path / "few.jsonl.gz")
    with pytest.raises(corpusmill.InputError) as caught:
        corpusmill.run(spec, store=tmp_path / "store", debug=True)
    error = caught.value
    assert "1 damaged input file" in error.what
    assert error.where == "step raw"
    assert error.expected
    assert error.hint


def test_unknown_outputs_name_the_nearest(done: Run) -> None:
    """And published files are not documents."""
    with pytest.raises(corpusmill.UsageError, match="did you mean 'split'"):
        done.dataset("splt")
    with pytest.raises(corpusmill.UsageError, match="published files"):
        done.dataset("out")


def test_stdout_is_left_alone(tmp_path: Path) -> None:
    """With a worker of its own, as a script runs it: what a run says goes to stderr, and only when asked for."""
    (tmp_path / "spec.json").write_text(json.dumps(small(tmp_path)))
    program = (
        "import json, corpusmill; spec = json.load(open('spec.json'))\n"
        "print(corpusmill.run(spec, executor='inline', progress=True).counts['by-length'].kept)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stdout == "6\n"
    assert "run small done" in result.stderr
