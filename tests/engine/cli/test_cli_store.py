"""`verify` and `gc` as typed: golden help, what they say word for word, exit codes, JSON."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

import corpusmill.cli as cli
from corpusmill.dataset.manifest import Dataset
from corpusmill.dataset.store import Store
from corpusmill.plan.check import check
from corpusmill.runner.driver import RunOptions, run_spec

GOLDEN = Path(__file__).parents[2] / "golden" / "store"


def typed(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Return the exit code and what was printed, runs' times and digests replaced by words."""
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    told = capsys.readouterr()
    text = re.sub(r"[0-9a-f]{32}", "DIGEST", told.out + told.err)
    text = re.sub(r"\b[0-9a-f]{2}/DIGEST", "XX/DIGEST", text)
    return int(caught.value.code or 0), re.sub(r"@\d{8}T\d{6}", "@TIME", text)


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The outputs of a run in the folder that commands are typed in."""
    monkeypatch.chdir(tmp_path)
    Path("data.jsonl").write_text("".join(f'{{"text": "document {number}"}}\n' for number in range(20)))
    steps = [
        {"id": "read", "uses": "read.jsonl", "with": {"paths": "data.jsonl"}},
        {"id": "exact", "uses": "dedup.exact"},
    ]
    Path("spec.yaml").write_text(json.dumps({"corpusmill": 1, "name": "small", "steps": steps}))
    result = run_spec(check(Path("spec.yaml")), RunOptions(store="store", debug=True))
    outputs: dict[str, Any] = result.outputs["outputs"]
    return outputs


def lose(outputs: dict[str, Any]) -> None:
    (Path("store") / Dataset.open(Store("store"), outputs["read"]["digest"]).entries[0].part.file.name).unlink()


def damage(outputs: dict[str, Any]) -> Path:
    path = Path("store") / Dataset.open(Store("store"), outputs["read"]["digest"]).entries[0].part.file.name
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    return path


@pytest.mark.parametrize("command", ["verify", "gc"])
def test_help_is_the_golden_text(command: str, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    """Word for word, examples included."""
    monkeypatch.setenv("COLUMNS", "100")
    assert typed(capsys, command, "--help") == (0, (GOLDEN / f"{command}-help.txt").read_text())


def test_a_whole_store_is_told_in_a_line(made: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    """Of the store in this folder, of a store by its path, and of one run."""
    for arguments in ([], ["store"], ["small"]):
        code, text = typed(capsys, "verify", *arguments)
        assert code == 0
        assert re.fullmatch(
            r"\S*store: read \d+ files \([\d.]+ kB\), 3 manifests, \d+ commit records: all whole\n", text
        )


def test_damage_is_told_and_repaired_word_for_word(made: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    """What, whose, what to type; exit code 1 until it was made again."""
    path = damage(made)
    code, text = typed(capsys, "verify")
    counted = re.sub(r"\d+ files \([\d.]+ kB\)", "N files (SIZE)", text)
    counted = re.sub(r"\d+ commit records", "N commit records", re.sub(r"\d+ bytes", "N bytes", counted))
    assert (code, counted.replace(str(Path.cwd()), "HERE")) == (1, (GOLDEN / "verify-damaged.txt").read_text())
    assert path.is_file()
    assert typed(capsys, "verify", "--repair")[0] == 1
    assert not path.exists()
    assert typed(capsys, "verify")[0] == 1
    run_spec(check(Path("spec.yaml")), RunOptions(store="store", debug=True))
    assert typed(capsys, "verify")[0] == 0


def test_verify_speaks_json(made: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    """The same facts for programs."""
    assert json.loads(typed(capsys, "verify", "--json")[1])["whole"] is True
    damage(made)
    code, text = typed(capsys, "verify", "small", "--json")
    facts = json.loads(text)
    assert code == 1
    assert [one["problem"] for one in facts["findings"]] == ["damaged"]
    assert facts["run_again"][0].startswith("corpusmill run ")


def test_gc_says_what_it_would_free_then_frees_it(made: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    """A dry run removes nothing, and names the same."""
    typed(capsys, "gc", "--older-than", "0")
    path = Store("store").scratch()
    path.write_bytes(b"x" * 2000)
    path = Path("store") / Store("store").publish(path).name
    assert typed(capsys, "gc") == (0, "store: freed 0 B\nleft for being young: 1\n")
    os.utime(path, (1e9, 1e9))
    told = "2.0 kB\n  files that no record and no manifest names  1  2.0 kB\n"
    assert typed(capsys, "gc", "--dry-run") == (0, f"store: would free {told}")
    assert path.is_file()
    assert typed(capsys, "gc") == (0, f"store: freed {told}")
    assert not path.exists()
    assert json.loads(typed(capsys, "gc", "--json")[1])["removed"] == []


def test_gc_takes_a_store_as_verify_does(made: dict[str, Any], capsys: Any, monkeypatch: Any) -> None:
    """By its place, from elsewhere; the option says the same."""
    place = str(Path("store").absolute())
    monkeypatch.chdir("/")
    assert typed(capsys, "gc", place, "--dry-run") == typed(capsys, "gc", "--store", place, "--dry-run")
    assert typed(capsys, "gc", place, "--dry-run")[1].startswith(f"{place}: would free ")


@pytest.mark.parametrize("words", [["show", "run:small/exact"], ["explain", "small", "data.jsonl@0"]], ids=" ".join)
def test_a_lost_file_is_told_with_the_command_that_makes_it(
    made: dict[str, Any], capsys: pytest.CaptureFixture[str], words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pipeline's command, as it would be typed here; typing it helps."""
    lose(made)
    code, text = typed(capsys, *words)
    assert (code, text.splitlines()[0]) == (1, "a file that a commit names is gone: files/XX/DIGEST.arrow")
    assert text.endswith("next: run the pipeline again, which makes only what is missing: corpusmill run spec.yaml\n")
    here = Path.cwd()
    monkeypatch.chdir("/")
    told = f"cd {here} && corpusmill run spec.yaml\n"
    assert typed(capsys, *words, "--store", str(here / "store"))[1].endswith(told)
    monkeypatch.chdir(here)
    assert typed(capsys, "run", "spec.yaml", "--quiet", "--debug")[0] == 0
    assert typed(capsys, *words)[0] == 0


def test_a_store_that_is_a_file_is_told_as_such(made: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    """What is in the way, what was expected, what to do; not a word of permissions."""
    for place in ("data.jsonl", "data.jsonl/below", f"object://{Path.cwd()}/data.jsonl"):
        code, text = typed(capsys, "run", "spec.yaml", "--store", place)
        lines = [line.strip().partition(": ")[0] for line in text.splitlines()]
        assert (code, lines[1:]) == (1, ["at", "expected", "next"])
        assert f"{str(Path.cwd() / 'data.jsonl')!r} is a file" in text
        assert "permission" not in text


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["verify"], "no store at 'store'"),
        (["verify", "nothing"], "no run named 'nothing'"),
        (["gc", "--store", "nowhere"], "no store at 'nowhere'"),
        (["gc", "nowhere"], "no store at 'nowhere'"),
        (["gc", "--older-than", "soon"], "--older-than 'soon'"),
    ],
)
def test_what_is_not_there_is_a_usage_error(
    arguments: list[str], says: str, tmp_path: Path, monkeypatch: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, and the value."""
    monkeypatch.chdir(tmp_path)
    code, text = typed(capsys, *arguments)
    assert code == 2
    assert says in text
