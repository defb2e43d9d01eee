"""What `plan` says of disk space: a rule of thumb before the first run, what runs showed afterwards, a warning."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import corpusmill.cli as cli


def steps(mill: Any, word: str = "x") -> list[dict[str, Any]]:
    return [
        {"id": "read", "uses": "read.jsonl", "with": {"paths": "data/*.jsonl", "shard": "4 KB"}},
        {**mill.mark("one"), "with": {"word": word}},
        {"id": "near", "uses": "dedup.minhash"},
        {"id": "words", "uses": "tokenizer.bpe", "needs": "near", "with": {"size": 300}},
        {
            "id": "tokens",
            "uses": "tokens.pack",
            "needs": {"documents": "near", "tokenizer": "words"},
            "with": {"window": 16},
        },
        {"id": "export", "uses": "write.jsonl", "needs": "near", "with": {"path": str(mill.root / f"out-{word}")}},
    ]


@pytest.fixture
def filled(mill: Any) -> Any:
    """A mill with data of several shards."""
    for number in range(4):
        mill.jsonl(f"data/{number}.jsonl", mill.texts(80, seed=number, words=60))
    return mill


def stored(mill: Any) -> int:
    """Bytes of all that stages published."""
    folders = [Path(mill.store_uri) / name for name in ("files", "artifacts")] + list(mill.root.glob("out-*"))
    return sum(path.stat().st_size for folder in folders for path in folder.rglob("*") if path.is_file())


def test_before_the_first_run_it_is_a_rule_of_thumb(filled: Any) -> None:
    """Every stage but the tokenizer, of which nothing tells, has a figure from the bytes of the input files."""
    plan = filled.forecast(steps(filled))
    size = sum(path.stat().st_size for path in (filled.root / "data").iterdir())
    assert plan["one"].needs == size
    assert plan["words"].needs is None
    assert all(stage.needs and not stage.needs_known for name, stage in plan.items() if name != "words")


def test_afterwards_nothing_is_needed(filled: Any) -> None:
    """What is cached takes no space."""
    filled.run(steps(filled))
    assert {stage.needs for stage in filled.forecast(steps(filled)).values()} == {0}


@pytest.mark.parametrize("change", ["another option", "more files"])
def test_what_runs_showed_comes_true(filled: Any, change: str) -> None:
    """The figure for a changed pipeline, or for a corpus half as large again, is near what the run then takes."""
    filled.run(steps(filled))
    word = "y" if change == "another option" else "x"
    if change == "more files":
        for number in (4, 5):
            filled.jsonl(f"data/{number}.jsonl", filled.texts(80, seed=number, words=60))
    plan = filled.forecast(steps(filled, word))
    assert all(stage.needs_known for stage in plan.values())
    foreseen, before = sum(stage.needs for stage in plan.values()), stored(filled)
    if change == "more files":
        shutil.rmtree(filled.root / "out-x")
        before = stored(filled)
    filled.run(steps(filled, word))
    assert 0.6 < foreseen / (stored(filled) - before) < 1.7


def planned(capsys: pytest.CaptureFixture[str], spec: Path, *arguments: str) -> tuple[str, str]:
    with pytest.raises(SystemExit) as ended:
        cli.main(["plan", str(spec), *arguments])
    assert ended.value.code == 0
    told = capsys.readouterr()
    return told.out, told.err


def test_a_warning_when_it_will_not_fit(filled: Any, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Needed and free stand at the end; where free is less, a warning with both and what to do, with --json too."""
    spec = filled.spec(steps(filled))
    out, err = planned(capsys, spec, "--store", filled.store_uri)
    assert "disk: about " in out
    assert "a rule of thumb" in out
    assert "words not counted" in out
    assert "free" in out.splitlines()[-1]
    assert "will not fit" not in err
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    out, err = planned(capsys, spec, "--store", filled.store_uri)
    assert "warning: this will not fit: about " in err
    assert "1.0 kB free" in err
    assert "--store" in err
    out, err = planned(capsys, spec, "--store", filled.store_uri, "--json")
    assert json.loads(out)[0]["needs"] > 1000
    assert "will not fit" in err
