"""A document that a writer cannot write is found and left out of the export, alone; all else is written as it was."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from corpusmill.errors import BadRecordLimit, ExecutorError, OperatorError
from corpusmill.plan.check import check
from corpusmill.report.summary import summarise
from corpusmill.runner import deadline
from corpusmill.runner.bad_records import collect_bad_records
from corpusmill.runner.forecast import forecast
from corpusmill.runner.records import latest_run
from corpusmill.runner.replay import replay
from corpusmill.runner.trace import trace

POISON = [(0, 3), (0, 4), (2, 17)]
"""Two in one file of the export, one in another."""
SOAK = pytest.mark.soak
REASONS = {
    "segfault": "crashed (signal 11)",
    "exit1": "exited with code 1",
    "hang-in-c": "passed its deadline",
    "sleep": "passed its deadline",
    "exit0": "exited with code 0",
    "kill": "crashed (signal 9)",
    "panic": "raised Panic",
    "sysexit": "raised SystemExit",
}
ALONE = ("segfault", "sleep")
"""Ends that stand for the others, except in a soak."""


def steps(pit: Any, out: str, action: str = "none", **options: Any) -> list[dict[str, Any]]:
    """A reader and a writer."""
    pit.misbehave_late()
    return [
        pit.read(),
        {
            "id": "out",
            "uses": "write.plain",
            "with": {"path": str(pit.root / "exports" / out), "action": action, **options},
        },
    ]


def lines(pit: Any, out: str) -> dict[str, list[str]]:
    """Return what each data file of an export holds, line by line."""
    return {
        path.name: path.read_text().splitlines() for path in sorted((pit.root / "exports" / out / "data").iterdir())
    }


def without_poison(calm: dict[str, list[str]]) -> dict[str, list[str]]:
    """Return files without the documents that are poison."""
    return {name: [line for line in found if "POISON" not in line] for name, found in calm.items()}


def state(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return time of change and content of every file in a folder."""
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def exported(new_pit: Callable[[], Any]) -> tuple[Any, dict[str, list[str]], dict[str, Any]]:
    """A pit, the files of a calm export, and the outputs of a run in which the writer raises on the poison."""
    pit = new_pit()
    pit.documents(poison=POISON, word="POISON")
    pit.run(steps(pit, "calm"), store="calm", debug=True)
    return pit, lines(pit, "calm"), pit.run(steps(pit, "raised", "raise"), store="raised", debug=True).outputs


def test_raising_documents_are_left_out_counted_and_told(exported: Any) -> None:
    """Read = kept + quarantined; each is listed with step, id and reason, in the manifest, and `explain` says so."""
    pit, calm, outputs = exported
    assert sum(map(len, calm.values())) == 120
    assert lines(pit, "raised") == without_poison(calm)
    told = outputs["counts"]["out"]
    assert (told["in"], told["out"], told["quarantined"]) == (120, 117, {"raised ValueError": 3})
    assert (outputs["quarantine"], outputs["outputs"]["out"]["rows"]) == (3, 117)
    bad = pit.quarantine(outputs)
    assert all(b"POISON" in row["raw"] and row["detail"] == "poison found" and row["file"] for row in bad)
    record = latest_run(pit.root / "raised", "pit")
    (reason,) = collect_bad_records(record).reasons
    assert (reason.step, reason.reason, reason.rows, reason.again) == ("out", "raised ValueError", 3, True)
    assert [one.id for one in reason.records] == [row["id"] for row in bad]
    fate = trace(record, bad[0]["id"], replay)
    assert [(one.step, one.verdict, one.rule) for one in fate.decisions[-1:]] == [
        ("out", "quarantined", "raised ValueError")
    ]
    shown = summarise(outputs, plan=record.plan)
    assert re.search(r"read +120\n +kept +117 .*\n +removed +0 .*\n +quarantined +3 ", shown)
    assert re.search(r"out +120 +117 +3 +quarantined: raised ValueError 3\n", shown)
    manifest = json.loads((pit.root / "exports/raised/corpusmill.json").read_bytes())
    assert [one.get("failed") for one in manifest["files"]] == [
        {"raised ValueError": 2},
        None,
        {"raised ValueError": 1},
    ]
    assert manifest["digest"] == outputs["outputs"]["out"]["digest"]
    whole = json.loads((pit.root / "exports/calm/corpusmill.json").read_bytes())
    assert manifest["digest"] != whole["digest"]


@pytest.mark.parametrize("action", [one if one in ALONE else pytest.param(one, marks=SOAK) for one in REASONS])
def test_the_document_is_left_out_and_nothing_else(exported: Any, action: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a document does to its worker, long after it was handed over: the files are those of a run where it
    raises, and so is the list of what is left out, but for the reason."""
    late = REASONS[action] == "passed its deadline"
    monkeypatch.setattr(deadline, "PATIENCE", 1 if late else deadline.PATIENCE)
    pit, _, raised = exported
    outputs = pit.run(
        steps(pit, action, action, late=True), store=action, limits={"deadline": 0.5} if late else {}
    ).outputs
    assert outputs["counts"]["out"]["quarantined"] == {REASONS[action]: 3}
    assert lines(pit, action) == lines(pit, "raised")
    assert [row["id"] for row in pit.quarantine(outputs)] == [row["id"] for row in pit.quarantine(raised)]


def test_documents_that_kill_are_found_behind_those_that_raise(pit: Any) -> None:
    """What raises ends a call before the call reaches what kills: both are left out, each for its reason."""
    pit.documents(files=1, rows=12, poison=[(0, 7)], word="POISON")
    outputs = pit.run(steps(pit, "out", "exit1", raises="document 2 ")).outputs
    assert outputs["counts"]["out"]["quarantined"] == {"exited with code 1": 1, "raised ValueError": 1}
    assert len(lines(pit, "out")["train-00000-of-00001.txt"]) == 10


def test_they_stay_out_until_they_are_tried_again(pit: Any) -> None:
    """A run after the fix touches nothing; with `retry` the whole folder is that of an empty store, and says why."""
    pit.documents(poison=POISON, word="POISON")
    first = pit.run(steps(pit, "out", "raise"), debug=True).outputs
    before, tree = state(pit.root / "exports/out"), pit.tree()
    again = pit.run(steps(pit, "out"), debug=True).outputs
    assert (state(pit.root / "exports/out"), pit.tree()) == (before, tree)
    assert again["counts"]["out"] == {**first["counts"]["out"], "seconds": again["counts"]["out"]["seconds"]}
    assert again["outputs"] == first["outputs"]
    checked = check(pit.spec(steps(pit, "out")))
    assert [one.state for one in forecast(checked, str(pit.store))] == ["cached", "cached"]
    foreseen = forecast(checked, str(pit.store), retry=True)[-1]
    assert (foreseen.state, "are tried once more" in " ".join(foreseen.reasons)) == ("runs", True)
    mended = pit.run(steps(pit, "out"), debug=True, retry=True)
    assert any("is made again: the documents that it leaves out are tried" in one for one in mended.notices)
    assert (mended.outputs["quarantine"], pit.quarantine(mended.outputs)) == (0, [])
    assert "out" not in mended.outputs["counts"]
    pit.run(steps(pit, "calm"), store="calm", debug=True)
    calm = {name: data for name, (_, data) in state(pit.root / "exports/calm").items()}
    assert {name: data for name, (_, data) in state(pit.root / "exports/out").items()} == calm


def test_an_export_in_an_empty_store_finds_them_again(pit: Any) -> None:
    """The folder says that documents are missing, the store no longer which: the same folder is made again."""
    pit.documents(poison=POISON, word="POISON")
    first = pit.run(steps(pit, "out", "raise"), debug=True).outputs
    before = {name: data for name, (_, data) in state(pit.root / "exports/out").items()}
    outputs = pit.run(steps(pit, "out", "raise"), store="empty", debug=True).outputs
    assert outputs["counts"]["out"]["quarantined"] == first["counts"]["out"]["quarantined"]
    assert {name: data for name, (_, data) in state(pit.root / "exports/out").items()} == before
    assert pit.quarantine(outputs) == pit.quarantine(first)


def test_too_many_publish_nothing_and_encode_nothing_again(pit: Any) -> None:
    """Over the limit the run ends with step and reason, and no folder; under a higher one it is only published."""
    pit.documents(poison=POISON, word="POISON")
    with pytest.raises(BadRecordLimit, match=r"3 of 120 records are bad \(2\.50%\): out: raised ValueError 3\n"):
        pit.run(steps(pit, "out", "raise"), debug=True, limits={"max_bad_fraction": 0.01})
    assert not (pit.root / "exports/out").exists()
    assert len(pit.quarantine(pit.outputs())) == 3
    # Where anything was written again, this writer would end the process.
    outputs = pit.run(steps(pit, "out", "segfault"), debug=True, limits={"max_bad_records": 3}).outputs
    assert outputs["counts"]["out"]["out"] == 117
    assert sum(map(len, lines(pit, "out").values())) == 117


def test_kills_from_outside_leave_nothing_out(pit: Any, until: Any, processes: Any) -> None:
    """The worker is killed while it writes, then the child that tries its rows: all documents are there."""
    pit.documents(files=1)
    pit.run(steps(pit, "calm"), store="calm", debug=True)
    signals = pit.root / "signals"
    signals.mkdir()

    def killer(ended: threading.Event) -> None:
        known: set[str] = set()
        for _ in range(3):
            new = until(
                lambda known=known: {one.name for one in signals.glob("worker-*")} - known, "somebody who writes"
            )
            known |= new
            for name in new:
                assert processes.kill(int(name.removeprefix("worker-")))
        until(lambda known=known: {one.name for one in signals.glob("worker-*")} - known, "another go")
        (signals / "go").touch()

    with processes.in_background(killer):
        outputs = pit.run(steps(pit, "out", signals=str(signals)), limits={"deadline": None}).outputs
    assert outputs["quarantine"] == 0
    assert lines(pit, "out") == lines(pit, "calm")
    assert "out" not in outputs["counts"]


def test_a_writer_that_dies_of_no_document_stops_the_run(pit: Any) -> None:
    """Too many documents at once, but none of them too many: plugin, step, line; nobody is left out for it."""
    pit.documents(files=1)
    with pytest.raises(
        OperatorError, match=r"too many documents for this writer \(on many documents at once"
    ) as caught:
        pit.run(steps(pit, "out", most=39), debug=True)
    assert caught.value.where.startswith("step out, late.py:")
    assert not (pit.root / "exports/out").exists()


def test_a_writer_that_dies_of_every_document_stops_the_run(pit: Any) -> None:
    """Ten documents in a row that each die alone: the operator is at fault, and the last of them is named by id."""
    pit.documents(files=1, rows=12, poison=[(0, row) for row in range(12)], word="POISON")
    with pytest.raises(OperatorError, match=r"write\.plain exited with code 1 on 10 documents in a row") as caught:
        pit.run(steps(pit, "out", "exit1"))
    assert "step out (write.plain), document " in str(caught.value.where)
    assert caught.value.hint == "corpusmill plugins check ./late.py"


def test_a_writer_that_always_dies_before_its_first_document(pit: Any) -> None:
    """No document is at fault: three goes, then the step, the file and what to do."""
    pit.documents(files=1, rows=3)
    pit.misbehave_late()
    with pytest.raises(ExecutorError, match="on the same unit of work") as caught:
        pit.run([pit.read(), {"id": "out", "uses": "write.deaf", "with": {"path": str(pit.root / "out")}}])
    assert caught.value.where.startswith("step out (write.deaf), file 'data/train-00000-of-00001.txt', attempt 3")


@SOAK
def test_on_ray(exported: Any) -> None:
    """The same documents, the same files."""
    pit, _, raised = exported
    outputs = pit.run(steps(pit, "ray", "segfault", late=True), store="ray", executor="ray").outputs
    assert outputs["executor"] == "ray"
    assert outputs["counts"]["out"]["quarantined"] == {"crashed (signal 11)": 3}
    assert lines(pit, "ray") == lines(pit, "raised")
    assert [row["id"] for row in pit.quarantine(outputs)] == [row["id"] for row in pit.quarantine(raised)]
