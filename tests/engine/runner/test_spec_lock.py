"""spec.lock: references to other runs mean what they meant in the first run, until it is renewed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from corpusmill.cli import main
from corpusmill.dataset.store import Store
from corpusmill.errors import StoreError, UsageError
from corpusmill.plan.check import check
from corpusmill.runner.driver import RunOptions, run_spec
from corpusmill.runner.records import latest_run
from corpusmill.runner.references import stale_notes
from corpusmill.runner.replay_route import Route
from corpusmill.runner.spec_lock import Pin, lock_path, lock_text, read_lock, write_lock
from corpusmill.runner.trace import locate


def base(mill: Any, *texts: str) -> str:
    """Run the pipeline that others refer to on these texts; return its digest."""
    mill.jsonl("data/a.jsonl", texts)
    read = {"id": "read", "uses": "read.jsonl", "with": {"paths": "data/*"}}
    return str(mill.run([read], name="base").outputs["outputs"]["read"]["digest"])


def other(mill: Any, needs: str = "run:base/read") -> list[dict[str, Any]]:
    """A step on another run's output."""
    return [{**mill.mark("x"), "needs": needs}]


def lock_of(mill: Any, name: str = "other") -> Path:
    return lock_path(Store(mill.store_uri), name)


def made(mill: Any, **options: Any) -> list[str]:
    """Run the pipeline that refers and return its texts without the mark."""
    spec = check(mill.spec(other(mill), name="other"))
    result = run_spec(spec, RunOptions(store=mill.store_uri, debug=True, **options))
    return [row["text"].removesuffix(" MARKx") for row in mill.rows(result.outputs["outputs"]["x"]["digest"])]


def test_a_rerun_means_what_the_first_run_meant(mill: Any) -> None:
    """A newer run of the other pipeline changes nothing, until --relock takes it."""
    base(mill, "one")
    assert made(mill) == ["one"]
    base(mill, "one", "two")
    assert made(mill) == ["one"]
    assert made(mill, relock=True) == ["one", "two"]
    assert made(mill) == ["one", "two"]


def test_the_text_is_a_function_of_what_is_pinned(mill: Any) -> None:
    """Written beside the runs and into the run's folder: sorted JSON, no time, the same bytes after a rerun."""
    digest = base(mill, "one")
    folder = mill.run(other(mill), name="other").folder
    text = lock_of(mill).read_text()
    (run,) = [path.name for path in (Path(mill.store_uri) / "runs/base").iterdir() if path.is_dir()]
    pin = {"digest": digest, "run": f"base@{run}", "split": None}
    assert text == json.dumps({"references": {"run:base/read": pin}, "version": 1}, indent=2, sort_keys=True) + "\n"
    assert (folder / "spec.lock").read_text() == text
    again = mill.run(other(mill), name="other").folder
    assert lock_of(mill).read_text() == (again / "spec.lock").read_text() == text
    pins = {"run:b/s": Pin("b@1", "d", "train"), "run:a/s": Pin("a@1", "e")}
    assert lock_text(pins) == lock_text(dict(reversed(pins.items())))


def test_a_lock_behind_the_newest_run_is_told(mill: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """`plan`, `check` and `run` name the reference, both runs and what to type; the same bytes are no news."""
    base(mill, "one")
    made(mill)
    base(mill, "one")
    assert not mill.forecast(other(mill), name="other")["x"].notes
    base(mill, "one", "two")
    spec = mill.spec(other(mill), name="other", store=mill.store_uri)
    (note,) = stale_notes(check(spec))
    assert "pins run:base/read to base@" in note
    assert "--relock" in note
    stage = mill.forecast(other(mill), name="other")["x"]
    assert (stage.state, stage.notes) == ("cached", [note])
    assert run_spec(check(spec), RunOptions(debug=True)).notices == [note]
    for command, code in ((["check", str(spec)], 0), (["plan", str(spec)], 0), (["plan", str(spec), "--relock"], 0)):
        with pytest.raises(SystemExit) as ended:
            main(command)
        out = capsys.readouterr()
        assert ended.value.code == code
        assert (note in out.out + out.err) == ("--relock" not in command)


def test_a_failed_newer_run_does_not_disturb(mill: Any) -> None:
    """The newest run of the other pipeline published nothing: a first run cannot go on, one with a lock can."""
    base(mill, "one")
    made(mill)
    mill.jsonl("data/a.jsonl", [b"broken"])
    read = {"id": "read", "uses": "read.jsonl", "with": {"paths": "data/*"}}
    with pytest.raises(Exception, match="bad"):
        mill.run([read], name="base")
    assert made(mill) == ["one"]
    with pytest.raises(UsageError, match="no output 'read'"):
        made(mill, relock=True)


def test_a_pin_that_the_store_lost_is_told(mill: Any) -> None:
    """Not another digest in silence: an error that names the lock and what renews it."""
    digest = base(mill, "one")
    made(mill)
    base(mill, "two")
    (Path(mill.store_uri) / "datasets" / digest / "manifest.json").unlink()
    with pytest.raises(UsageError, match="no longer in the store") as caught:
        made(mill)
    assert str(lock_of(mill)) in str(caught.value)
    assert made(mill, relock=True) == ["two"]


@pytest.mark.parametrize("content", ["{", "[]", '{"version": 2, "references": {}}', '{"version": 1, "references": []}'])
def test_a_lock_that_cannot_be_understood_is_refused(mill: Any, content: str) -> None:
    """Damaged or of another version: where it lies and what writes it anew; --relock does."""
    base(mill, "one")
    made(mill)
    lock_of(mill).write_text(content)
    with pytest.raises(StoreError, match=r"spec\.lock") as caught:
        made(mill)
    assert caught.value.where == str(lock_of(mill))
    assert "--relock" in str(caught.value.hint)
    assert made(mill, relock=True) == ["one"]
    assert read_lock(lock_of(mill))


def test_a_part_of_a_pipeline_keeps_the_pins_of_the_rest(mill: Any) -> None:
    """`until` leaves a reference out without losing its pin; a reference that leaves the spec leaves the lock."""
    base(mill, "one")
    steps = [*other(mill), {**mill.mark("y"), "needs": f"run:base@{'2' * 1}/read"}]
    mill.run(steps, name="other")
    before = lock_of(mill).read_text()
    mill.run(steps, name="other", until="x")
    assert lock_of(mill).read_text() == before
    mill.run(steps[:1], name="other")
    assert list(read_lock(lock_of(mill))) == ["run:base/read"]
    read = {"id": "read", "uses": "read.jsonl", "with": {"paths": "data/*"}}
    mill.run([read], name="other")
    assert not lock_of(mill).exists()


def test_a_reference_with_a_secret_is_not_written_down(mill: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `${env:X}` stands for reaches no lock, and another value is another run."""
    base(mill, "one")
    monkeypatch.setenv("WHICH", "base")
    mill.run(other(mill, "run:${env:WHICH}/read"), name="other")
    assert not lock_of(mill).exists()
    assert not list(Path(mill.store_uri).glob("runs/other/*/spec.lock"))


def test_a_lock_is_replaced_at_once(tmp_path: Path) -> None:
    """No half-written file under its name, none beside it; one with the same pins is left alone."""
    path = tmp_path / "spec.lock"
    write_lock(path, {"run:a/s": Pin("a@1", "d")})
    first = path.stat()
    write_lock(path, {"run:a/s": Pin("a@1", "d")})
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (first.st_ino, first.st_mtime_ns)
    write_lock(path, {})
    assert not list(tmp_path.iterdir())


def test_explain_follows_the_pin(mill: Any) -> None:
    """A reference of an earlier run is what that run read, not what has been published since."""
    digest = base(mill, "one")
    outputs = mill.run(other(mill), name="other").outputs["outputs"]
    base(mill, "one", "two")
    record = latest_run(mill.store_uri, "other")
    (row,) = mill.rows(outputs["x"]["digest"])
    bound = Route(record, locate(record, row["id"])).bound("run:base/read")
    assert bound is not None
    assert bound.digest == digest
