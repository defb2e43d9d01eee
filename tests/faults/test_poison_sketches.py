"""A document that a deduplicator cannot sketch is found and left out, alone; all else comes out as if it were not."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

import pytest

from corpusmill.errors import BadRecordLimit
from corpusmill.runner.bad_records import collect_bad_records
from corpusmill.runner.records import latest_run
from corpusmill.runner.replay import replay
from corpusmill.runner.trace import trace

POISON = [(0, 3), (0, 4), (2, 17)]
"""Two in one batch, one in another shard; the first file is there twice, so there are five of them."""
SOAK = pytest.mark.soak
REASONS = {
    "segfault": "crashed (signal 11)",
    "sleep": "passed its deadline",
    "exit0": "exited with code 0",
    "kill": "crashed (signal 9)",
    "hang-in-c": "passed its deadline",
    "panic": "raised Panic",
}
ALONE = ("segfault",)
"""Ends that stand for the others, except in a soak; of deadlines, the test of tokens asks."""


def steps(pit: Any, action: str = "none", uses: str = "dedup.same", **options: Any) -> list[dict[str, Any]]:
    """A reader and a deduplicator."""
    return [pit.read(), {"id": "near", "uses": uses, "with": {"action": action, **options}}]


def fill(pit: Any) -> Any:
    """Write three files with poison, and the first of them once more."""
    pit.documents(poison=POISON, word="POISON")
    shutil.copy(pit.root / "data/0.jsonl", pit.root / "data/3.jsonl")
    return pit


@pytest.fixture(scope="module")
def doubled(new_pit: Callable[[], Any]) -> tuple[Any, dict[str, Any], dict[str, Any]]:
    """A pit, the outputs of a calm run over it, and of one in which the poison raises."""
    pit = fill(new_pit())
    calm = pit.run(steps(pit), store="calm", debug=True).outputs
    return pit, calm, pit.run(steps(pit, "raise"), store="raised", debug=True).outputs


def test_raising_documents_are_counted_listed_and_told(doubled: Any) -> None:
    """Read = kept + removed + quarantined; each is listed with step, id and reason, and `explain` says so."""
    pit, calm, outputs = doubled
    told = outputs["counts"]["near"]
    assert (told["in"], told["out"], told["removed"]) == (160, 117, {"duplicate": 38})
    assert told["quarantined"] == {"raised ValueError": 5}
    assert outputs["quarantine"] == 5
    bad = pit.quarantine(outputs)
    ids = {row["id"] for row in bad}
    assert len(ids) == 5
    assert all(b"POISON" in row["raw"] and row["detail"] == "poison found" and row["file"] for row in bad)
    assert pit.rows(outputs, "near", "raised") == [
        row for row in pit.rows(calm, "near", "calm") if row["id"] not in ids
    ]
    record = latest_run(pit.root / "raised", "pit")
    (reason,) = collect_bad_records(record).reasons
    assert (reason.step, reason.reason, reason.rows, reason.again) == ("near", "raised ValueError", 5, True)
    fate = trace(record, bad[0]["id"], replay)
    assert (fate.outcome, fate.decisions[-1].step) == ("quarantined", "near")
    assert fate.decisions[-1].rule == "raised ValueError"


@pytest.mark.parametrize("action", [one if one in ALONE else pytest.param(one, marks=SOAK) for one in REASONS])
def test_the_document_is_excluded_and_nothing_else(doubled: Any, action: str) -> None:
    """Whatever a document does to its worker: the same documents go, the dataset is that of a run where they raise."""
    pit, _, raised = doubled
    outputs = pit.run(steps(pit, action), store=action, limits={"deadline": 0.5}).outputs
    assert outputs["counts"]["near"]["quarantined"] == {REASONS[action]: 5}
    assert outputs["outputs"]["near"]["digest"] == raised["outputs"]["near"]["digest"]
    assert [row["id"] for row in pit.quarantine(outputs)] == [row["id"] for row in pit.quarantine(raised)]


def test_exclusions_do_not_depend_on_batches(doubled: Any) -> None:
    """Batches of 512 bytes and of 8 MB leave the same store, byte for byte."""
    pit, _, _ = doubled
    pit.run(steps(pit, "raise"), store="small", debug=True, run={"batch_bytes": 512})
    assert pit.tree("small") == pit.tree("raised")


def test_they_stay_out_until_they_are_tried_again(pit: Any) -> None:
    """A run after the fix does nothing; with `retry` they come in, and the dataset is that of an empty store."""
    fill(pit)
    first = pit.run(steps(pit, "raise"), debug=True).outputs
    tree = pit.tree()
    again = pit.run(steps(pit), debug=True).outputs
    assert again["counts"]["near"]["quarantined"] == first["counts"]["near"]["quarantined"]
    assert pit.tree() == tree
    mended = pit.run(steps(pit), debug=True, retry=True).outputs
    assert (mended["quarantine"], pit.quarantine(mended)) == (0, [])
    calm = pit.run(steps(pit), store="calm", debug=True).outputs
    assert mended["outputs"]["near"]["digest"] == calm["outputs"]["near"]["digest"]
    assert mended["counts"]["near"]["quarantined"] == {}


def test_what_is_out_already_is_no_loss(pit: Any) -> None:
    """A sketch is of all rows of a part; of the poison among them only what came into the step is quarantined."""
    fill(pit)
    first = {"id": "first", "uses": "dedup.same"}
    second = {"id": "near", "uses": "dedup.alike", "with": {"action": "raise"}}
    told = pit.run([pit.read(), first, second], debug=True).outputs["counts"]["near"]
    assert told["in"] == 120
    assert told["quarantined"] == {"raised ValueError": 3}
    assert told["out"] + sum(told["removed"].values()) == 117


def test_earlier_documents_that_cannot_be_sketched_are_told(pit: Any) -> None:
    """Poison in `against` is no input of the step: it is counted aloud, what repeats it stays, all else goes."""
    fill(pit)
    old = {"id": "old", "uses": "read.jsonl", "with": {"paths": "data/0.jsonl", "shard": 16000}}
    near = {"id": "near", "uses": "dedup.same", "with": {"action": "raise"}}
    new = {**old, "id": "new", "with": {"paths": "data/[12].jsonl", "shard": 16000}}
    result = pit.run([old, new, {**near, "needs": {"documents": "new", "against": "old"}}], debug=True)
    assert result.outputs["counts"]["near"]["quarantined"] == {"raised ValueError": 1}
    (notice,) = [one for one in result.notices if "against" in one]
    assert notice.startswith("near: 2 earlier documents (`against`) cannot be sketched (raised ValueError 2)")


def test_an_inexact_sketch_keeps_its_batch(pit: Any) -> None:
    """A raising document of an inexact deduplicator is emptied: its neighbours' numbers, and what they are compared
    with, stay what they were."""
    pit.documents(files=1, poison=[(0, 3)], word="POISON")
    (pit.root / "data/1.jsonl").write_text((pit.root / "data/0.jsonl").read_text().replace("POISON", "others"))
    calm = pit.run(steps(pit, uses="dedup.rough"), store="calm", debug=True).outputs
    outputs = pit.run(steps(pit, "raise", "dedup.rough"), debug=True).outputs
    (bad,) = pit.quarantine(outputs)
    kept = [row for row in pit.rows(calm, "near", "calm") if row["id"] != bad["id"]]
    assert [row for row in pit.rows(outputs, "near") if "others" not in row["text"]] == kept
    assert outputs["counts"]["near"]["removed"]


def test_segments_of_a_document_that_cannot_be_sketched_stay_whole(pit: Any) -> None:
    """It is quarantined as it came; of the others the same is cut as in a run without it."""
    pit.documents(poison=POISON, word="POISON")
    outputs = pit.run(steps(pit, "raise", "dedup.tails"), debug=True).outputs
    assert outputs["counts"]["near"]["quarantined"] == {"raised ValueError": 3}
    assert outputs["counts"]["near"]["out"] == 117
    for path in (pit.root / "data").iterdir():
        lines = [line for line in path.read_text().splitlines() if "POISON" not in line]
        path.write_text("".join(f"{line}\n" for line in lines))
    without = pit.run(steps(pit, "none", "dedup.tails"), store="without", debug=True).outputs
    found = [row["text"] for row in pit.rows(outputs, "near")]
    assert found == [row["text"] for row in pit.rows(without, "near", "without")]
    assert outputs["counts"]["near"]["cut"] == without["counts"]["near"]["cut"]


@SOAK
def test_segments_that_kill_are_found_too(pit: Any) -> None:
    """A deduplicator of segments dies of a document: it is excluded with the reason."""
    pit.documents(poison=POISON, word="POISON")
    outputs = pit.run(steps(pit, "segfault", "dedup.tails")).outputs
    assert outputs["counts"]["near"]["quarantined"] == {"crashed (signal 11)": 3}


def test_too_many_publish_nothing_and_recompute_nothing(pit: Any) -> None:
    """Over the limit the run ends with step and reason; under a higher one it is published from what is there."""
    fill(pit)
    with pytest.raises(BadRecordLimit, match=r"5 of 160 records are bad \(3\.12%\): near: raised ValueError 5\n"):
        pit.run(steps(pit, "raise"), debug=True, limits={"max_bad_fraction": 0.01})
    assert len(pit.quarantine(pit.outputs())) == 5
    assert "near" not in pit.outputs()["outputs"]
    assert pit.run(steps(pit, "segfault"), debug=True).outputs["counts"]["near"]["out"] == 117
