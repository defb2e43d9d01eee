"""`corpusmill demo` as a command: what it takes, what it refuses, what it runs where there is no quickstart."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from corpusmill.cli import demo, main


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(["demo", *arguments])
    assert isinstance(caught.value.code, int)
    return caught.value.code


def test_help_word_for_word(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What it kills, what it compares, what it takes; `CORPUSMILL_WRITE_GOLDEN=1` writes the file."""
    monkeypatch.setenv("COLUMNS", "100")
    assert run("--help") == 0
    golden, text = repository / "tests/golden/demo/help.txt", capsys.readouterr().out
    if os.environ.get("CORPUSMILL_WRITE_GOLDEN"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


def test_a_folder_in_use_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both runs start from nothing, and nothing of the user's may be in the way of `rm -r`."""
    (tmp_path / "mine").write_text("mine")
    assert run("--chaos", "--folder", str(tmp_path)) == 2
    assert "holds something already (mine)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"run": {"address": "10.0.0.1:6379"}}, "on the cluster at '10.0.0.1:6379'"),
        ({"needs": "store:" + "0" * 32}, "from a store"),
    ],
)
def test_what_cannot_be_shown_is_refused(
    tmp_path: Path, write_spec: Any, change: dict[str, Any], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A cluster of others is not shot at, and what comes from another store is not in an empty one."""
    needs = {"id": "clean", "uses": "clean.unicode", "needs": change.pop("needs", "read")}
    spec = write_spec(tmp_path / "project", needs, **change)
    assert run("--chaos", str(spec), "--folder", str(tmp_path / "both")) == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "both").exists()


def test_a_wrong_spec_is_told_before_anything_runs(
    tmp_path: Path, write_spec: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """As `check` tells it, with its exit code, and no folder is left."""
    spec = write_spec(tmp_path / "project", {"id": "length", "uses": "filter.lenght"})
    assert run("--chaos", str(spec), "--folder", str(tmp_path / "both")) == 2
    assert "filter.length" in capsys.readouterr().err
    assert not (tmp_path / "both").exists()


def test_a_pipeline_that_fails_by_itself_is_not_blamed_on_kills(
    tmp_path: Path, write_spec: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """The calm run's own last words, its exit code, and the command that shows it again."""
    spec = write_spec(tmp_path / "project", files=1)
    (tmp_path / "project/data/broken.jsonl").write_bytes(b"{broken\n" * 50)
    assert run("--chaos", str(spec), "--executor", "inline", "--folder", str(tmp_path / "both")) == 3
    captured = capsys.readouterr()
    assert "50 of 220 records are bad" in captured.out
    assert "stopped by itself with exit code 3" in captured.err
    assert f"cd {tmp_path / 'both/calm'} && corpusmill run {spec}" in captured.err
    assert "kill" not in captured.out.replace("kills ", "")


def test_exports_stay_in_the_runs_folder(tmp_path: Path, write_spec: Any) -> None:
    """An absolute path, or one that climbs out, would let both runs publish into one place, the user's own."""
    from corpusmill.demo.ties import moved_exports
    from corpusmill.plan.check import check

    for path, moved in [("/srv/out", True), ("../out", True), ("out/small", False)]:
        export = {"id": "export", "uses": "write.jsonl", "needs": "split", "with": {"path": path}}
        spec = write_spec(tmp_path / path.replace("/", "-").replace("..", "up"), export)
        assert moved_exports(check(spec)) == (("export.path=out/export",) if moved else ())


def test_the_quickstart_is_found_upwards(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From any folder of the repository; its training is shortened, but not what the user sets."""
    monkeypatch.chdir(repository / "tests/engine")
    assert demo._quickstart() == repository / "pipelines/quickstart.yaml"
    assert demo._sets(None, ("model.steps=7",), full=False) == ("model.checkpoint_every=10", "model.steps=7")
    assert demo._sets(None, (), full=True) == ()


def test_without_a_repository_the_starter_project_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Installed from a wheel there is no pipelines/ folder: `run` is called in the project of `init`."""
    from corpusmill.cli.run import run as command

    seen: list[tuple[Path, dict[str, Any]]] = []
    monkeypatch.setattr(command, "callback", lambda **given: seen.append((Path.cwd(), given)))
    monkeypatch.chdir(tmp_path)
    assert run("--executor", "inline") == 0
    assert run("--executor", "inline", "--set", "length.min_words=9") == 0
    assert "the project of `corpusmill init`, in corpusmill-demo" in capsys.readouterr().out
    assert [place for place, _ in seen] == [tmp_path / "corpusmill-demo"] * 2
    assert (tmp_path / "corpusmill-demo" / seen[0][1]["spec"]).is_file()
    assert seen[1][1]["sets"] == ("length.min_words=9",)
    assert Path.cwd() == tmp_path


@pytest.mark.parametrize("option", [["--kills", "3"], ["--seed", "1"], ["--full"]])
def test_options_of_chaos_alone_are_refused_without_it(option: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Silence would let somebody believe that something was killed."""
    assert run(*option) == 2
    assert f"{option[0]} goes with --chaos" in capsys.readouterr().err


def test_the_folder_of_a_plain_demonstration_is_where_it_runs(
    tmp_path: Path, write_spec: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Store and exports land there; the pipeline is found from wherever one stands."""
    from corpusmill.cli.run import run as command

    seen: list[tuple[Path, str]] = []
    monkeypatch.setattr(command, "callback", lambda **given: seen.append((Path.cwd(), given["spec"])))
    spec = write_spec(tmp_path / "project")
    monkeypatch.chdir(tmp_path)
    assert run("project/small.yaml", "--folder", "there") == 0
    assert run("project/small.yaml") == 0
    assert seen == [(tmp_path / "there", str(spec)), (tmp_path, "project/small.yaml")]
