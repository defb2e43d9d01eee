"""Runs that fail: summed up like others, and a disk that refuses the run's own records is told in four parts."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from corpusmill.errors import CorpusmillError, StoreError


def steps(pit: Any, action: str = "none") -> list[dict[str, Any]]:
    """A stage that ends well, then one whose operator does `action` on the poison."""
    pit.documents(files=1, poison=[(0, 3)], word="POISON")
    return [pit.read(), {"id": "exact", "uses": "dedup.exact"}, pit.faulty(action)]


def test_a_failed_run_is_summed_up(pit: Any) -> None:
    """Stdout says that it failed, what it did and what to type; stderr ends with the error, told once."""
    spec = pit.spec(steps(pit, "raise"), limits={"max_bad_fraction": 0.0})
    result = pit.call(spec)
    assert result.returncode == 3
    assert result.stdout.startswith("pit: failed in ")
    assert "What was committed is kept" in result.stdout
    assert "\nSteps\n" in result.stdout
    assert f"corpusmill run {spec}" in result.stdout
    assert "1 of 40 records are bad" in result.stderr
    assert "records are bad" not in result.stdout
    assert "Traceback" not in result.stderr


def test_a_failed_run_is_one_json_document(pit: Any) -> None:
    """With its status, its error, what was published before, and its folder; the exit code stays."""
    result = pit.call(pit.spec(steps(pit, "raise"), limits={"max_bad_fraction": 0.0}), "--json")
    assert result.returncode == 3
    told = json.loads(result.stdout)
    assert told["status"] == "failed"
    assert "1 of 40 records are bad" in told["error"]
    assert set(told["outputs"]) >= {"read", "exact"}
    assert (Path(told["folder"]) / "journal.jsonl").is_file()
    assert {name: value for name, value in told.items() if name != "folder"} == pit.outputs()


def test_a_run_that_is_refused_has_no_summary(pit: Any) -> None:
    """A wrong spec never became a run: nothing on stdout, exit 2."""
    for arguments in ((), ("--json",)):
        result = pit.call(pit.spec([{"id": "x", "uses": "filter.no-such"}]), *arguments)
        assert (result.returncode, result.stdout) == (2, "")


def test_a_summary_that_cannot_be_made_hides_no_error(pit: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """The journal is damaged after the run: the error of the run is told all the same."""
    from corpusmill.cli import main
    from corpusmill.report import ending

    def damaged(*_: Any, **__: Any) -> str:
        raise StoreError("damaged journal")

    monkeypatch.setattr(ending, "ending_text", damaged)
    spec = pit.spec(steps(pit, "raise"), limits={"max_bad_fraction": 0.0})
    with pytest.raises(SystemExit) as ended:
        main(["run", str(spec), "--store", str(pit.store), "--debug", "--quiet"])
    assert ended.value.code == 3
    told = capsys.readouterr()
    assert "1 of 40 records are bad" in told.err
    assert "damaged journal" not in told.out + told.err


def failing(module: Any, name: str, wanted: str, number: int) -> Callable[[pytest.MonkeyPatch], None]:
    """Make a function of the system fail for paths that hold a word."""
    real = getattr(module, name)

    def fails(path: Any, *arguments: Any, **options: Any) -> Any:
        if wanted in str(path):
            raise OSError(number, os.strerror(number), str(path))
        return real(path, *arguments, **options)

    return lambda monkeypatch: monkeypatch.setattr(module, name, fails)


PLACES = {
    "scratch": failing(Path, "mkdir", "store/tmp", errno.EACCES),
    "the lease's folder": failing(Path, "mkdir", "runs/pit", errno.EROFS),
    "the lease": failing(Path, "write_bytes", ".lease-", errno.ENOSPC),
    "the lease's link": failing(os, "link", ".lease-", errno.EACCES),
    "the run's folder": failing(Path, "mkdir", "runs/pit/2", errno.ENOSPC),
    "the journal": failing(os, "open", "journal.jsonl", errno.EACCES),
    "the spec's copy": failing(os, "open", "spec.yaml", errno.ENOSPC),
    "the plan": failing(os, "open", "plan.json", errno.EDQUOT),
    "the outputs": failing(os, "open", "outputs.json", errno.ENOSPC),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_disk_that_refuses_the_run_s_records_is_told(pit: Any, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """Full, not writable, read-only: what, where, what is needed and what to do, never a bare OSError."""
    spec = steps(pit)
    with monkeypatch.context() as broken:
        PLACES[place](broken)
        with pytest.raises(CorpusmillError) as caught:
            pit.run(spec, debug=True)
    error = caught.value
    assert isinstance(error, StoreError)
    assert error.what.startswith(("no space left in the store", "cannot write to the store: "))
    assert "store" in str(error.where)
    assert error.expected
    assert error.hint
    assert pit.run(spec, debug=True).outputs["status"] == "done"


def test_a_store_where_a_file_stands_is_told(pit: Any) -> None:
    """Really: the command exits 1 with the place and another one to take, without a traceback."""
    (pit.root / "file").write_text("in the way")
    result = pit.call(pit.spec(steps(pit)), store="file/store")
    assert result.returncode == 1
    assert f"{str(pit.root / 'file')!r} is a file" in result.stderr
    assert "--store" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_full_device_under_the_journal_is_told(tmp_path: Path) -> None:
    """Really: the kernel's own full device refuses the first line."""
    from corpusmill.runner.journal import Journal

    (tmp_path / "journal.jsonl").symlink_to("/dev/full")
    journal = Journal()
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    journal.open(tmp_path)
    with pytest.raises(StoreError, match="no space left"):
        journal.write("run_started", {})
