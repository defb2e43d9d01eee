"""A document that kills or hangs its worker is found and excluded, alone; all else comes out as if it were not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from corpusmill.errors import OperatorError

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
}
SHORT = {"deadline": 0.5}


@pytest.fixture(scope="module")
def raised(new_pit: Callable[[], Any]) -> tuple[Any, dict[str, Any]]:
    """A pit with poison, and the outputs of a run in which the poison only raises."""
    pit = new_pit()
    pit.documents(poison=POISON, word="POISON")
    return pit, pit.run([pit.read(), pit.faulty("raise")], store="raised", debug=True).outputs


@pytest.mark.parametrize("action", REASONS)
def test_the_document_is_excluded_and_nothing_else(raised: tuple[Any, dict[str, Any]], action: str) -> None:
    """Each poison document is named with step, id and reason; the dataset is that of a run without these documents."""
    pit, reference = raised
    limits = SHORT if action.startswith("hang") else {}
    outputs = pit.run([pit.read(), pit.faulty(action)], store=action, limits=limits).outputs
    assert outputs["outputs"]["judge"]["digest"] == reference["outputs"]["judge"]["digest"]
    bad = pit.quarantine(outputs)
    assert {row["reason"] for row in bad} == {REASONS[action]}
    assert [(row["id"], row["raw"]) for row in bad] == [(row["id"], row["raw"]) for row in pit.quarantine(reference)]
    assert {row["step"] for row in bad} == {1}
    assert outputs["counts"]["judge"]["quarantined"] == {REASONS[action]: 3}


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
