"""`corpusmill quarantine`, word for word: what is in quarantine and why, as text, as JSON and as bytes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from corpusmill.cli import main
from corpusmill.dataset.part import write_table
from corpusmill.dataset.store import Store
from corpusmill.ledger.quarantine import Quarantine

FOLDER = Path(__file__).parents[2] / "golden" / "quarantine"
HOSTILE = "\x1b]0;owned\x07\x1b[31mred\u202egnirts\r\n\x9b2J"


@pytest.fixture
def typed(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """A store with one run that has a quarantine of two shards; returns a function: words -> (code, out, err)."""
    monkeypatch.setenv("COLUMNS", "100")
    store, listed = Store(str(tmp_path / "store")), []
    for shard in range(2):
        bad = Quarantine()
        for row in range(3):
            raw = b'{"text": "caf\xe9 ' + str(row).encode()
            bad.add(file=f"{shard}.jsonl", offset=100 * row, reason="invalid-json", detail=f"column {row}", raw=raw)
        text = f"{HOSTILE} text".encode()
        bad.add(
            file=f"{HOSTILE}.jsonl", offset=7, reason="raised KeyError", detail=HOSTILE, raw=text, id="a" * 32, step=1
        )
        bad.add(file="big.jsonl", offset=0, reason="passed its deadline", raw=b"x" * 9000, id="b" * 32, step=shard + 1)
        listed.append({"step": "read", "steps": ["read", "judge", "tidy"], "path": _path(store, bad)})
    folder = tmp_path / "store/runs/bench/20261122T034429"
    folder.mkdir(parents=True)
    damaged = [{"step": "read", "file": f"{HOSTILE}.gz", "reason": "ends early", "offset": 12}]
    outputs = {"name": "bench", "status": "done", "quarantines": listed, "quarantine": 10, "damaged": damaged}
    (folder / "outputs.json").write_text(json.dumps(outputs))
    stages = [{"id": "read", "kind": "pass", "steps": [{"id": name} for name in ("read", "judge", "tidy")]}]
    (folder / "plan.json").write_text(json.dumps({"stages": stages}))

    def type_command(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["quarantine", *words, *(["--store", store.uri] if "--help" not in words else [])])
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return type_command


def _path(store: Store, bad: Quarantine) -> str:
    return f"{store.uri}/{write_table(store, bad.table()).name}"


def same_as_golden(name: str, text: str) -> None:
    """Compare with the file; `CORPUSMILL_WRITE_GOLDEN=1` writes it."""
    golden = FOLDER / f"{name}.txt"
    if os.environ.get("CORPUSMILL_WRITE_GOLDEN"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


CASES = {
    "all": ("bench",),
    "one-step": ("bench", "judge"),
    "few": ("bench", "read", "--limit", "2"),
    "counts": ("bench@2026", "--limit", "0"),
    "json": ("bench", "--limit", "1", "--json"),
    "help": ("--help",),
}


@pytest.mark.parametrize("name", CASES)
def test_printed_word_for_word(name: str, typed: Any) -> None:
    """Counts first, then places; a reason's first records in input order; what to type after a fix."""
    code, out, _ = typed(*CASES[name])
    assert code == 0
    same_as_golden(name, out)


@pytest.mark.parametrize("name", CASES)
def test_nothing_printed_can_steer_a_terminal(name: str, typed: Any) -> None:
    """Names of files, details and texts come from the corpus: no escape, no control, no change of direction."""
    _, out, _ = typed(*CASES[name])
    assert not {one for one in out if one != "\n" and (ord(one) < 32 or 126 < ord(one) < 160 or one == "\u202e")}


def test_raw_bytes_go_to_one_new_file(typed: Any, tmp_path: Path) -> None:
    """A line a record, as it stood; what was cut is said; what exists is left alone."""
    target = tmp_path / "bad.jsonl"
    code, _, said = typed("bench", "read", "--raw", str(target))
    assert (code, said) == (0, f"6 records written to {target}\n")
    assert target.read_bytes().splitlines() == [b'{"text": "caf\xe9 ' + str(row).encode() for row in (0, 1, 2)] * 2
    assert target.stat().st_mode & 0o077 == 0
    code, _, said = typed("bench", "--raw", str(target))
    assert code == 2
    assert "exists already" in said
    assert len(target.read_bytes().splitlines()) == 6


def test_raw_bytes_go_into_a_folder(typed: Any, tmp_path: Path) -> None:
    """A file a record, named by number only: no name is derived from data."""
    target = tmp_path / "bad"
    target.mkdir()
    code, _, said = typed("bench", "--raw", str(target))
    assert (code, said) == (0, f"10 records written to {target}, 2 of them cut to 4,096 bytes\n")
    assert sorted(path.name for path in target.iterdir()) == [f"{number:06}.raw" for number in range(1, 11)]
    assert f"{HOSTILE} text".encode() in [path.read_bytes() for path in target.iterdir()]


def test_an_unknown_step_is_answered_with_the_nearest(typed: Any) -> None:
    """A usage error with the steps there are."""
    code, _, said = typed("bench", "juge")
    assert (code, "did you mean 'judge'?" in said) == (2, True)


def test_a_run_that_has_not_ended_has_no_quarantine_yet(typed: Any, tmp_path: Path) -> None:
    """It is refused rather than called clean."""
    (tmp_path / "store/runs/bench/20261122T034429/outputs.json").unlink()
    code, _, said = typed("bench")
    assert code == 2
    assert "corpusmill status bench" in said
