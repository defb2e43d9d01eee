"""A document that kills or hangs its worker is found and excluded, alone; all else comes out as if it were not."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from corpusmill.errors import BadRecordLimit, ExecutorError, OperatorError
from corpusmill.runner import deadline
from corpusmill.runner.applied import Applied
from corpusmill.runner.chunk import Chunk
from corpusmill.runner.guard import Guard
from corpusmill.runner.records import latest_run
from corpusmill.runner.replay import replay
from corpusmill.runner.trace import trace

POISON = [(0, 3), (0, 4), (2, 17)]
"""Two in one batch, one in another shard."""
REASONS = {
    "segfault": "crashed (signal 11)",
    "exit0": "exited with code 0",
    "exit1": "exited with code 1",
    "exit7": "exited with code 7",
    "kill": "crashed (signal 9)",
    "hang": "passed its deadline",
    "hang-in-c": "passed its deadline",
    "regex": "passed its deadline",
    "sleep": "passed its deadline",
}
SHORT = {"deadline": 0.5}
SLOW = ("hang", "hang-in-c", "regex", "sleep")
SOAK = ("sleep", "exit1")
"""Reasons that others stand for, except in a soak."""


@pytest.fixture(scope="module")
def raised(new_pit: Callable[[], Any]) -> tuple[Any, dict[str, Any]]:
    """A pit with poison, and the outputs of a run in which the poison only raises."""
    pit = new_pit()
    pit.documents(poison=POISON, word="POISON")
    return pit, pit.run([pit.read(), pit.faulty("raise")], store="raised", debug=True).outputs


@pytest.mark.parametrize(
    "action", [pytest.param(one, marks=pytest.mark.soak) if one in SOAK else one for one in REASONS]
)
def test_the_document_is_excluded_and_nothing_else(raised: tuple[Any, dict[str, Any]], action: str) -> None:
    """Each poison document is named with step, id and reason; the dataset is that of a run without these documents.
    `explain` tells it without asking the operator again, which would end this process, or wait for ever."""
    pit, reference = raised
    limits = SHORT if action in SLOW else {}
    outputs = pit.run([pit.read(), pit.faulty(action)], store=action, limits=limits).outputs
    assert outputs["outputs"]["judge"]["digest"] == reference["outputs"]["judge"]["digest"]
    bad = pit.quarantine(outputs)
    assert {row["reason"] for row in bad} == {REASONS[action]}
    assert [(row["id"], row["raw"]) for row in bad] == [(row["id"], row["raw"]) for row in pit.quarantine(reference)]
    assert {row["step"] for row in bad} == {1}
    assert outputs["counts"]["judge"]["quarantined"] == {REASONS[action]: 3}
    fate = trace(latest_run(pit.root / action, pit.name), bad[0]["id"], replay)
    told = [(one.step, one.verdict, one.rule, one.note) for one in fate.decisions]
    assert told == [("read", "kept", None, None), ("judge", "quarantined", REASONS[action], None)]


def test_exclusions_do_not_depend_on_batches(raised: tuple[Any, dict[str, Any]]) -> None:
    """Batches of 512 bytes and of 8 MB find the same documents: same store, byte for byte."""
    pit, _ = raised
    for size in (512, "8 MB"):
        pit.run([pit.read(), pit.faulty("segfault")], store=f"batch-{size}", run={"batch_bytes": size})
    assert pit.tree("batch-512") == pit.tree("batch-8 MB")


def test_a_raising_document_hides_no_crashing_one(pit: Any) -> None:
    """One raises, one segfaults in the same batch: the batch that `raised` in a child is looked at row by row."""
    pit.documents(files=1, poison=[(0, 5)], word="POISON")
    path = pit.root / "data/0.jsonl"
    path.write_text(path.read_text().replace("document 20 of file 0 is calm", "document 20 of file 0 is RAISES"))
    steps = [pit.read(), pit.faulty("segfault", raises="RAISES")]
    outputs = pit.run(steps).outputs
    assert outputs["counts"]["judge"]["quarantined"] == {"crashed (signal 11)": 1, "raised ValueError": 1}
    assert outputs["counts"]["judge"]["out"] == 38


def test_an_operator_that_kills_on_every_document_stops_the_run(pit: Any) -> None:
    """Ten neighbours dying one by one are the operator's fault: the run ends with its name."""
    pit.documents(files=1, poison=[(0, row) for row in range(40)], word="POISON")
    with pytest.raises(OperatorError, match=r"filter.faulty exited with code 7 on 10 documents in a row") as caught:
        pit.run([pit.read(), pit.faulty("exit7")])
    assert "step judge" in str(caught.value)
    assert not (pit.store / "commits").exists()


def test_an_inexact_operator_keeps_its_batches(pit: Any) -> None:
    """A crashing document of an inexact operator is emptied, so its neighbours' scores stay what they were."""
    pit.documents(files=1, poison=[(0, 3)], word="POISON")
    step = {"id": "judge", "uses": "annotate.inexact"}
    calm = pit.run([pit.read(), step], store="calm").outputs
    outputs = pit.run([pit.read(), {**step, "with": {"action": "segfault"}}]).outputs
    (bad,) = pit.quarantine(outputs)
    assert pit.rows(outputs) == [row for row in pit.rows(calm, store="calm") if row["id"] != bad["id"]]


def test_each_step_keeps_its_own_deadline(pit: Any) -> None:
    """Deadlines are per operator call: a step with a short one excludes what hangs in it, its neighbour may be slow."""
    pit.documents(files=1, poison=[(0, 3)], word="POISON")
    step = {**pit.faulty("hang"), "limits": {"deadline": 0.3}}
    outputs = pit.run([pit.read(), {"id": "clean", "uses": "clean.upper"}, step], limits={"deadline": None}).outputs
    assert outputs["counts"]["judge"]["quarantined"] == {"passed its deadline": 1}


def test_limits_of_a_step_are_judged_apart(pit: Any) -> None:
    """One step may fail on much, the others on nothing: neither share is mixed with the other's."""
    pit.documents(files=1, poison=[(0, 3)], word="POISON")
    step = pit.faulty("raise")
    strict = {"max_bad_fraction": 0.0}
    with pytest.raises(BadRecordLimit, match=r"1 of 40 records are bad \(2\.50%\): judge: raised ValueError 1\n"):
        pit.run([pit.read(), {**step, "limits": strict}], debug=True)
    lenient = [pit.read(), {**step, "limits": {"max_bad_fraction": 0.1}}]
    assert pit.run(lenient, debug=True, limits=strict).outputs["quarantine"] == 1


@pytest.mark.parametrize(("alive", "stops"), [(None, True), (50, False)])
def test_a_hundred_exclusions_in_a_row_stop_the_run(alive: int | None, stops: bool) -> None:
    """Batches too short to tell one by one add up; a document between that passes starts the count anew."""
    rejected: list[int] = []
    guard = Guard(["filter.x"], lambda step, row, reason, detail: rejected.append(int(row.rows[0])))
    guard.excluded = {0: {row: "crashed (signal 11)" for row in range(110) if row != alive}}
    told = ""
    try:
        for first in range(0, 110, 5):
            rows = np.arange(first, first + 5)
            batch = pa.record_batch({"id": [f"document {row}" for row in rows]})
            list(guard.call(0, Chunk(batch, rows), lambda chunk: Applied(chunk, len(chunk))))
    except OperatorError as error:
        told = str(error)
    assert bool(told) == stops
    assert len(rejected) == (100 if stops else 109)
    assert ("failed on 100 of 100 documents, 100 in a row; the last: crashed (signal 11)" in told) == stops


def test_a_document_that_takes_all_memory_is_excluded(pit: Any, processes: Any) -> None:
    """The system kills its worker (here a watcher does); alone, it runs out of the memory that a trial may take."""
    pit.documents(files=1, poison=[(0, 3)], word="POISON")
    limit = 600 << 20
    spec = pit.spec([pit.read(), pit.faulty("hog")], limits={"deadline": None}, run={"worker_memory": "150 MB"})
    process, killed = pit.start(spec, "--json"), []
    while process.poll() is None:
        for pid in processes.descendants(process.pid):
            held = resident(pid)
            if held > limit and processes.kill(pid):
                killed.append(held)
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert killed
    assert json.loads(out)["counts"]["judge"]["quarantined"] == {"ran out of memory": 1}


def resident(pid: int) -> int:
    """Return how many bytes a process holds; 0 for one that is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096
    except (OSError, IndexError):
        return 0


def test_a_reader_that_dies_or_hangs_stops_the_run_and_names_the_file(pit: Any, monkeypatch: Any) -> None:
    """The file is named; nothing of it is taken, nothing excluded."""
    monkeypatch.setattr(deadline, "PATIENCE", 1)
    pit.documents(files=2, poison=[(1, 3)], word="POISON")
    for action, how in (("segfault", "killed by signal 11"), ("regex", "passed its deadline")):
        reader = {"id": "read", "uses": "read.lines", "with": {"paths": "data/*.jsonl", "shard": 10, "action": action}}
        with pytest.raises(ExecutorError, match=f"a worker {how} 3 times") as caught:
            pit.run([reader], limits={"deadline": 0.5})
        assert re.fullmatch(r"step read \(read\.lines\), shard '1\.jsonl' from 0 to \d+, attempt 3", caught.value.where)
