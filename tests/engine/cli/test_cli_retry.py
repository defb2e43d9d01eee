"""`corpusmill retry`: a run's own command again, with everything it was given and no secret written down."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

import corpusmill
from corpusmill.cli import main

PLUGIN = '''
"""A filter whose fault lies beside it, out of sight of its fingerprint."""
import os
from pathlib import Path

from corpusmill import Filter, at_most, hookimpl, option


class Judge(Filter):
    """Raise on WORD while there is no dictionary."""

    class Options(Filter.Options):
        folder: str = option("", help="where the dictionary lies", affects_result=False)
        most: int = option(100, help="most characters")
        token: str = option("", help="a secret", affects_result=False)

    def measure_text(self, text):
        if "WORD" in text and not (Path(self.options.folder) / "dictionary").exists():
            raise KeyError("WORD")
        return {"length": float(len(text))}

    def rules(self):
        return [at_most("length", self.options.most)]


@hookimpl
def corpusmill_register(registry):
    registry.filter("judge", ":Judge", "Judge.")
'''
SPEC = """\
corpusmill: 1
name: bench
params: {most: 50, token: none}
plugins: [./judge.py]
limits: {max_bad_fraction: 1}
steps:
  - {id: read, uses: read.jsonl, with: {paths: data/*.jsonl}}
  - {id: judge, uses: filter.judge, with: {folder: "%s", most: "${param:most}", token: "${param:token}${env:CANARY}"}}
"""
CANARY = "sesame-4711-open"


class Desk:
    """A folder with a spec in it, and commands typed in this process."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]):
        self.root, self._capsys = root, capsys
        (root / "judge.py").write_text(PLUGIN)
        (root / "bench.yaml").write_text(SPEC % root)
        (root / "data").mkdir()
        texts = ["short", "a WORD that is not known", "a text of some length, longer than forty characters", "calm"]
        (root / "data/a.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))

    def type(self, *words: str, code: int = 0) -> Any:
        """Type a command; return its stdout (parsed, with --json) and its stderr."""
        with pytest.raises(SystemExit) as ended:
            main(words)
        told = self._capsys.readouterr()
        assert (ended.value.code or 0) == code, told.err
        return (json.loads(told.out) if "--json" in words and not code else told.out), told.err

    def run(self, *more: str) -> dict[str, Any]:
        """Run the spec inline."""
        outputs: dict[str, Any] = self.type("run", "bench.yaml", "--executor", "inline", "--json", *more)[0]
        return outputs

    def mend(self) -> None:
        """Take the fault away."""
        (self.root / "dictionary").touch()


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk at which the user sits; a secret is in the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CANARY", CANARY)
    monkeypatch.setenv("COLUMNS", "100")
    return Desk(tmp_path, capsys)


def told(outputs: dict[str, Any]) -> dict[str, Any]:
    """Return what a run made and counted, without its times."""
    counts = {name: {**one, "seconds": 0} for name, one in outputs["counts"].items()}
    return {"outputs": {name: one["digest"] for name, one in outputs["outputs"].items()}, "counts": counts}


def test_everything_the_run_was_given_is_given_again(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Overrides, params, profile, seed, limit and `until`; from another folder; the same as the run's command says."""
    (tmp_path / "profile.yaml").write_text("run: {batch_bytes: 1 MB}\n")
    words = ["--set", "judge.signals=keep", "--param", "most=40", "--profile", "profile.yaml", "--seed", "7"]
    words += ["--limit", "3", "--until", "judge", "--batch-bytes", "2 MB"]
    first = desk.run(*words)
    assert first["counts"]["judge"]["quarantined"] == {"raised KeyError": 1}
    assert first["counts"]["judge"]["removed"] == {"length": 1}
    desk.mend()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    again, said = desk.type("retry", "bench", "--store", "../store", "--json")
    assert Path.cwd() == tmp_path / "elsewhere"
    assert again["counts"]["judge"]["quarantined"] == {}
    assert (again["counts"]["judge"]["in"], again["counts"]["judge"]["out"]) == (3, 2)
    monkeypatch.chdir(tmp_path)
    assert told(again) == told(desk.run(*words, "--store", "empty"))
    line = re.search(r"^again, in (.*): corpusmill run (.*) --retry$", said, re.MULTILINE)
    assert line is not None, said
    assert line[1] == str(tmp_path)
    assert all(word in line[2] for word in (*words[1::2], "--executor inline"))


def test_options_may_come_on_top(desk: Desk) -> None:
    """What an error of the retry advises, such as `--set export.replace=true`, can be given to it."""
    assert desk.run("--set", "judge.most=60")["counts"]["judge"]["removed"] == {}
    desk.mend()
    again, said = desk.type("retry", "bench", "--set", "judge.most=40", "--json")
    assert again["counts"]["judge"]["removed"] == {"length": 1}
    assert "--set judge.most=60 --set judge.most=40" in said


def test_the_quarantine_names_the_command(desk: Desk) -> None:
    """What it prints can be typed, and takes what it lists."""
    desk.run("--param", "most=40")
    listed, _ = desk.type("quarantine", "bench")
    assert "1 failed in a step; after a fix, this tries it again:\n  corpusmill retry bench\n" in listed
    desk.run()
    older = min((desk.root / "store/runs/bench").glob("2*")).name
    listed, _ = desk.type("quarantine", f"bench@{older}")
    assert f"  corpusmill retry bench@{older}\n" in listed
    (desk.root / "store").rename(desk.root / "moved")
    listed, _ = desk.type("quarantine", f"bench@{older}", "--store", "moved")
    assert f"  corpusmill retry bench@{older} --store moved\n" in listed
    (desk.root / "moved").rename(desk.root / "store")
    desk.mend()
    again, _ = desk.type("retry", f"bench@{older}", "--json")
    assert again["counts"]["judge"]["removed"] == {"length": 1}
    assert "0 records in quarantine" in desk.type("quarantine", "bench")[0]


def test_a_spec_that_changed_is_taken_as_it_is_and_said(desk: Desk) -> None:
    """A fix may be in the spec itself; a profile, too."""
    (desk.root / "profile.yaml").write_text("run: {batch_bytes: 1 MB}\n")
    desk.run("--profile", "profile.yaml")
    _, said = desk.type("retry", "bench", "--json")
    assert "has changed" not in said
    (desk.root / "bench.yaml").write_text((SPEC % desk.root).replace("most: 50", "most: 10"))
    (desk.root / "profile.yaml").write_text("run: {batch_bytes: 3 MB}\n")
    desk.mend()
    again, said = desk.type("retry", "bench", "--json")
    assert "note: bench.yaml has changed since 2" in said
    assert "note: profile.yaml has changed since then" in said
    assert again["counts"]["judge"]["removed"] == {"length": 2}


@pytest.mark.parametrize(
    ("gone", "what", "next_"),
    [
        ("bench.yaml", "its spec file is gone", "next: cp "),
        ("profile.yaml", "its profile is gone", "next: with another one: corpusmill run bench.yaml"),
    ],
)
def test_what_is_gone_is_said(desk: Desk, gone: str, what: str, next_: str) -> None:
    """Exit 2 with the place and what to type; the copy in the run's folder is the spec as it was."""
    (desk.root / "profile.yaml").write_text("{}\n")
    desk.run("--profile", "profile.yaml")
    before = (desk.root / gone).read_bytes()
    (desk.root / gone).unlink()
    _, said = desk.type("retry", "bench", code=2)
    assert f"{what}: '{desk.root / gone}'" in said
    assert next_ in said
    if gone == "bench.yaml":
        os.system(re.search(r"next: (cp .*) puts it back", said)[1])
        assert (desk.root / gone).read_bytes() == before
        desk.type("retry", "bench", "--quiet")


def test_a_folder_that_is_gone_is_said(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command stands in the message, to be typed elsewhere."""
    desk.run("--store", str(tmp_path / "elsewhere"))
    command = next((tmp_path / "elsewhere").glob("runs/bench/*/command.json"))
    command.write_text(command.read_text().replace(str(tmp_path), str(tmp_path / "gone")))
    _, said = desk.type("retry", "bench", "--store", "elsewhere", code=2)
    assert f"the folder it was started in is gone: '{tmp_path / 'gone'}'" in said
    again = f"corpusmill run bench.yaml --executor inline --store {tmp_path / 'elsewhere'} --retry"
    assert f"next: in another folder: {again}" in said


def test_a_run_without_a_record_says_what_to_type(desk: Desk) -> None:
    """A run of an older version, or a record that is damaged."""
    desk.run()
    command = next(desk.root.glob("store/runs/bench/*/command.json"))
    for content in (b"{}", b"\xff", None):
        command.write_bytes(content) if content is not None else command.unlink()
        _, said = desk.type("retry", "bench", code=2)
        assert "has no record of its command" in said
        assert "corpusmill run SPEC --retry" in said
    assert "corpusmill run bench.yaml --retry" in desk.type("quarantine", "bench")[0]


def test_an_unknown_run_is_answered_with_the_nearest(desk: Desk) -> None:
    """As by every command on a run."""
    desk.run()
    assert "did you mean 'bench'?" in desk.type("retry", "bensch", code=2)[1]


def test_no_secret_is_written_and_the_environment_gives_it_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret that was typed as a param is kept as the reference it is known by; without it the command asks."""
    desk.run("--param", f"token={CANARY}", "--set", "judge.token=${env:CANARY}")
    desk.run("--param", f"token={CANARY}")
    desk.mend()
    _, said = desk.type("retry", "bench", "--json")
    assert CANARY not in said
    held = [path for path in desk.root.rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()]
    assert held == []
    record = json.loads(max(desk.root.glob("store/runs/bench/*/command.json")).read_bytes())
    assert record["params"] == {"token": "${env:CANARY}"}
    monkeypatch.delenv("CANARY")
    _, said = desk.type("retry", "bench", code=2)
    assert "param 'token' of the run held the value of the environment variable 'CANARY', which is not set" in said
    assert "--param token=VALUE" in said


def test_a_run_from_python_is_tried_again_by_the_command(desk: Desk) -> None:
    """Given as a file with overrides, or as a mapping, which the run's folder holds."""
    done = corpusmill.run("bench.yaml", executor="inline", store="store", judge={"most": 30})
    assert done.counts["judge"].quarantined == {"raised KeyError": 1}
    mapping = {
        "corpusmill": 1,
        "name": "mapped",
        "plugins": ["./judge.py"],
        "limits": {"max_bad_fraction": 1},
        "steps": [
            {"id": "read", "uses": "read.jsonl", "with": {"paths": "data/*.jsonl"}},
            {"id": "judge", "uses": "filter.judge", "with": {"folder": str(desk.root)}},
        ],
    }
    corpusmill.run(mapping, executor="inline", store="store")
    desk.mend()
    for name, removed in (("bench", {"length": 1}), ("mapped", {})):
        again, _ = desk.type("retry", name, "--json")
        assert again["counts"]["judge"]["quarantined"] == {}
        assert again["counts"]["judge"]["removed"] == removed


def test_a_plan_foresees_what_a_retry_would_do(desk: Desk) -> None:
    """Which shards are tried again; and looking forgets nothing."""
    desk.run()
    assert "cached read > judge" in desk.type("plan", "bench.yaml")[0]
    planned, _ = desk.type("plan", "bench.yaml", "--retry")
    assert "runs   read > judge" in planned
    assert "because 1 of 1 shards hold documents that failed and are tried again" in planned
    assert "not committed" not in planned
    assert "cached read > judge" in desk.type("plan", "bench.yaml")[0]
    desk.mend()
    assert desk.run("--retry")["counts"]["judge"]["quarantined"] == {}
    assert "cached read > judge" in desk.type("plan", "bench.yaml", "--retry")[0]
