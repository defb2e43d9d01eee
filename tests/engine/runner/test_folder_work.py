"""The folder of global work: what is finished is whole or not there, damage counts as not there, two may share it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from corpusmill.runner import folder_work
from corpusmill.runner.folder_work import EVENTS, FolderWork, clear_work


def work(folder: Path) -> FolderWork:
    return FolderWork(folder, folder / "stop", 1, "cpu", 1)


def writing(text: str) -> object:
    return lambda folder: (folder / "state").write_text(text)


def test_the_newest_whole_checkpoint_counts(tmp_path: Path) -> None:
    """Older ones go; one with a changed file, a lost file or lost checksums is gone as if it had never been."""
    first = work(tmp_path)
    assert first.latest_checkpoint() is None
    for step in (1, 2):
        first.checkpoint(step, writing(f"step {step}"))
    newest = first.latest_checkpoint()
    assert newest is not None
    assert (newest / "state").read_text() == "step 2"
    assert len(list((tmp_path / "checkpoints").iterdir())) == 1
    for damage in (
        lambda found: (found / "state").write_text("step 3"),
        lambda found: (found / "state").unlink(),
        lambda found: (found.parent / "checksums.json").write_text("{"),
    ):
        first.checkpoint(5, writing("step 5"))
        found = first.latest_checkpoint()
        assert found is not None
        damage(found)
        assert work(tmp_path).latest_checkpoint() is None
        assert not list((tmp_path / "checkpoints").iterdir())


def test_units_are_made_once(tmp_path: Path) -> None:
    """Until they are damaged; a failure leaves nothing."""
    made: list[str] = []

    def make(folder: Path) -> None:
        made.append("once")
        (folder / "deep").mkdir()
        (folder / "deep/file").write_text("content")

    one = work(tmp_path)
    assert one.unit("a", make) == work(tmp_path).unit("a", make)
    assert (one.unit("a", make) / "deep/file").read_text() == "content"
    assert made == ["once"]
    (one.unit("a", make) / "deep/file").write_text("other")
    assert (work(tmp_path).unit("a", make) / "deep/file").read_text() == "content"
    assert made == ["once"] * 2

    def fails(folder: Path) -> None:
        (folder / "half").touch()
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        one.unit("b", fails)
    assert len(list((tmp_path / "units").iterdir())) == 1


def test_whoever_is_first_serves_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two workers at the same work: outputs apart, a checkpoint of one is the other's, nobody removes what is newer."""
    one, two = work(tmp_path), work(tmp_path)
    assert one.output != two.output
    two.checkpoint(8, writing("two"))

    def overtaken(folder: Path) -> None:
        (folder / "state").write_text("one")
        two.checkpoint(9, writing("two"))

    one.checkpoint(9, overtaken)
    latest = one.latest_checkpoint()
    assert latest is not None
    assert (latest / "state").read_text() == "two"
    one.checkpoint(4, writing("behind"))
    assert one.latest_checkpoint() == latest
    clear_work(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] in ([], [EVENTS])


def test_what_the_dead_were_building_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the next start: outputs and checkpoints of processes that are gone; not of the living, not of other hosts."""
    code = "import sys; from pathlib import Path; from corpusmill.runner.folder_work import FolderWork as W; "
    code += "w = W(Path(sys.argv[1]), Path('stop'), 1, 'cpu', 1); (w.output / 'half').touch(); "
    code += "w.checkpoint(1, lambda folder: __import__('os')._exit(0))"
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    assert list(tmp_path.glob(".output*"))
    assert list(tmp_path.glob("checkpoints/.*"))
    living = work(tmp_path)
    stranger = tmp_path / ".output.00000000-1-00000000-stranger"
    stranger.mkdir()
    work(tmp_path)
    assert living.output.is_dir()
    assert stranger.is_dir()
    assert len(list(tmp_path.glob(".output*"))) == 3
    assert not list(tmp_path.glob("checkpoints/.*"))
    monkeypatch.setattr(folder_work, "process_space", lambda: None)
    work(tmp_path)
    assert living.output.is_dir()
