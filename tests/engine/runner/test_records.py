"""Run records: runs are found by name and time, and say truthfully whether they live."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from corpusmill.errors import UsageError
from corpusmill.runner.journal import Journal
from corpusmill.runner.records import latest_run, list_runs


def make_run(store: Path, name: str, timestamp: str, outputs: dict[str, Any] | None = None) -> Path:
    folder = store / "runs" / name / timestamp
    folder.mkdir(parents=True)
    if outputs is not None:
        (folder / "outputs.json").write_text(json.dumps(outputs))
    return folder


def start(folder: Path, **process: Any) -> None:
    journal = Journal()
    journal.open(folder)
    journal.write("run_started", {"host": socket.gethostname(), "process_start": None, **process})
    journal.close()


def test_the_newest_run_of_a_name_is_taken(tmp_path: Path) -> None:
    """Without a timestamp the newest run answers, with one (or its start) that very run."""
    make_run(tmp_path, "quick", "20261121T100000Z")
    make_run(tmp_path, "quick", "20261122T100000Z")
    make_run(tmp_path, "other", "20261123T100000Z")
    assert latest_run(tmp_path, "quick").timestamp == "20261122T100000Z"
    assert latest_run(tmp_path, "quick", "20261121").timestamp == "20261121T100000Z"
    assert [run.name for run in list_runs(tmp_path)] == ["quick", "quick", "other"]


def test_a_misspelt_run_names_the_nearest(tmp_path: Path) -> None:
    """An unknown name is an error that lists the names and suggests the closest."""
    make_run(tmp_path, "quickstart", "20261121T100000Z")
    with pytest.raises(UsageError) as caught:
        latest_run(tmp_path, "quikstart")
    assert caught.value.hint == "did you mean 'quickstart'?"
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("timestamp", ["20261121", "2027"])
def test_an_ambiguous_or_unknown_time_is_an_error(tmp_path: Path, timestamp: str) -> None:
    """A time that fits two runs or none is refused with the times there are."""
    make_run(tmp_path, "quick", "20261121T100000Z")
    make_run(tmp_path, "quick", "20261121T110000Z")
    with pytest.raises(UsageError, match="20261121T110000Z"):
        latest_run(tmp_path, "quick", timestamp)


def test_a_misspelt_output_names_the_nearest(tmp_path: Path) -> None:
    """An output nobody made is an error with the command for the closest one."""
    make_run(tmp_path, "quick", "T1", {"outputs": {"split": {"kind": "documents"}}})
    with pytest.raises(UsageError) as caught:
        latest_run(tmp_path, "quick").output("splt")
    assert caught.value.hint == f"corpusmill show run:quick@T1/split --store {tmp_path}"


def test_status_comes_from_the_outputs(tmp_path: Path) -> None:
    """A finished run has the status its outputs.json says."""
    make_run(tmp_path, "quick", "T1", {"status": "failed"})
    assert latest_run(tmp_path, "quick").status == "failed"


def test_a_run_whose_process_lives_is_running(tmp_path: Path) -> None:
    """A journal without an end and a living process mean running."""
    start(make_run(tmp_path, "quick", "T1"), pid=os.getpid())
    assert latest_run(tmp_path, "quick").status == "running"


def test_a_run_whose_process_is_gone_is_interrupted(tmp_path: Path) -> None:
    """A journal without an end and no such process mean interrupted."""
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    start(make_run(tmp_path, "quick", "T1"), pid=child)
    assert latest_run(tmp_path, "quick").status == "interrupted"


def test_a_reused_process_number_is_not_mistaken_for_the_run(tmp_path: Path) -> None:
    """The same pid with another start time is another process: the run is interrupted."""
    start(make_run(tmp_path, "quick", "T1"), pid=os.getpid(), process_start="another-boot:1")
    assert latest_run(tmp_path, "quick").status == "interrupted"


def test_a_run_on_another_host_cannot_be_judged(tmp_path: Path) -> None:
    """Where the process cannot be looked at, the run is not declared dead."""
    start(make_run(tmp_path, "quick", "T1"), pid=1, host="elsewhere.example")
    record = latest_run(tmp_path, "quick")
    assert (record.alive, record.status) == (None, "running")


def test_a_run_on_an_object_store_knows_its_store(tmp_path: Path) -> None:
    """The store is the folder that holds the runs, unless the run said it worked on an object store."""
    local, remote = make_run(tmp_path, "quick", "T1"), make_run(tmp_path, "quick", "T2")
    start(local, pid=os.getpid(), store="/moved/since")
    start(remote, pid=os.getpid(), store="s3://bucket/store")
    assert latest_run(tmp_path, "quick", "T1").store == str(tmp_path)
    assert latest_run(tmp_path, "quick", "T2").store == "s3://bucket/store"


def test_outputs_come_in_the_order_of_the_plan(tmp_path: Path) -> None:
    """Files hold sorted keys; readers see steps in the order they ran, further outputs beside their step's own."""
    made = {"a-last": {}, "m-first": {}, "m-first.removed": {}}
    folder = make_run(tmp_path, "quick", "T1", {"outputs": made, "counts": {"a-last": {}, "m-first": {}}})
    stages = [{"id": "m-first", "steps": [{"id": "m-first"}]}, {"id": "a-last", "steps": [{"id": "a-last"}]}]
    (folder / "plan.json").write_text(json.dumps({"stages": stages}))
    record = latest_run(tmp_path, "quick")
    assert list(record.outputs["outputs"]) == ["m-first", "m-first.removed", "a-last"]
    assert list(record.outputs["counts"]) == ["m-first", "a-last"]
