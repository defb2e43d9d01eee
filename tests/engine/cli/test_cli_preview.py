"""`corpusmill preview`, word for word: one text a step, in tests/golden/try."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import pytest

from corpusmill.cli import main

FOLDER = Path(__file__).parents[2] / "golden" / "try"
SPEC = "house.yaml"
CASES = {
    "preview-reader": (0, SPEC, "lines"),
    "preview-filter": (0, SPEC, "short", "--set", "short.most=20"),
    "preview-cleaner": (1, SPEC, "upper", "--set", "short.most=40"),
    "preview-dedup": (0, SPEC, "exact", "--rows", "4"),
    "preview-nothing-left": (0, SPEC, "upper", "--set", "short.least=100", "--set", "short.most=100"),
    "preview-error-step": (2, SPEC, "shrt"),
    "preview-error-kind": (2, SPEC, "words"),
    "preview-error-spec": (2, SPEC, "short", "--set", "short.mst=3"),
}


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(FOLDER)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as caught:
        main(["preview", *arguments])
    captured = capsys.readouterr()
    assert isinstance(caught.value.code, int)
    return caught.value.code, captured.out + captured.err


@pytest.mark.parametrize("name", CASES)
def test_what_it_says_is_as_written_down(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Counts of the steps on the way, each document with its fate at the step, records that were turned away.

    `CORPUSMILL_UPDATE_GOLDEN=1` writes the texts anew; read the difference before committing it.
    """
    code, text = said(capsys, *CASES[name][1:])
    golden = FOLDER / f"{name}.txt"
    if os.environ.get("CORPUSMILL_UPDATE_GOLDEN"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")
    assert code == CASES[name][0]


def test_the_store_is_not_touched_and_nothing_is_left(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No store appears, and the temporary folder is empty again, also after an error on the way."""
    store = tmp_path / "store"
    for arguments in ((SPEC, "halves"), (SPEC, "shrt"), (SPEC, "upper", "--set", "short.most=40")):
        said(capsys, *arguments, "--store", str(store))
    assert list(tmp_path.iterdir()) == []
    assert not (FOLDER / "store").exists()


def test_json_has_everything(capsys: pytest.CaptureFixture[str]) -> None:
    """Steps on the way with counts, documents with verdicts, what the reader turned away."""
    code, text = said(capsys, SPEC, "exact", "--json")
    told = json.loads(text)
    assert code == 0
    assert [one["step"] for one in told["before"]] == ["lines", "more", "short", "upper"]
    assert {one["step"]: one["in"] for one in told["before"]}["short"] == 16
    removed = [one for one in told["documents"] if one["decision"]["verdict"] == "removed"]
    ids = [one["id"] for one in told["documents"]]
    assert [one["decision"]["other"] in ids for one in removed] == [True, True]
    assert [one["reason"] for one in told["rejected"]] == ["bad-line"]


def test_ids_are_those_of_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a preview shows can be looked for in a run."""
    import corpusmill

    _, text = said(capsys, SPEC, "short", "--json")
    shown = {one["id"] for one in json.loads(text)["documents"]}
    done = corpusmill.run(SPEC, store=tmp_path / "store", debug=True, until="short", limits={"max_bad_fraction": 1})
    kept = set(done.dataset("short").to_arrow()["id"].to_pylist())
    assert kept < shown
    assert len(shown) == 16


def test_datasets_of_earlier_runs_are_sampled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`run:` references are looked up in the store that is given, and only a few of their documents are taken."""
    import corpusmill

    corpusmill.run(SPEC, store=tmp_path / "store", debug=True, until="lines", limits={"max_bad_fraction": 1})
    spec = tmp_path / "later.yaml"
    spec.write_text(
        "corpusmill: 1\nname: later\nsteps:\n"
        "  - {id: long, uses: filter.length, needs: 'run:house/lines', with: {min_chars: 9}}\n"
    )
    before = sorted(path for path in (tmp_path / "store").rglob("*"))
    code, text = said(capsys, str(spec), "long", "--rows", "2", "--store", str(tmp_path / "store"))
    assert code == 0
    assert "2 documents: 1 kept, 1 removed (too-few-characters 1)" in text
    assert sorted(path for path in (tmp_path / "store").rglob("*")) == before
