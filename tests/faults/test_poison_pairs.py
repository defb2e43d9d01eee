"""Documents that a deduplicator cannot compare are found and withheld; all else comes out as if they were not there."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from corpusmill.errors import OperatorError
from corpusmill.runner import deadline
from corpusmill.runner.records import latest_run
from corpusmill.runner.replay import replay
from corpusmill.runner.trace import trace

POISON = [(0, 3), (1, 7), (1, 8)]
SOAK = pytest.mark.soak
REASONS = {
    "segfault": "crashed (signal 11)",
    "exit1": "exited with code 1",
    "sleep": "passed its deadline",
    "hang-in-c": "passed its deadline",
    "kill": "crashed (signal 9)",
    "panic": "raised Panic",
}
ALONE = ("segfault",)


def steps(pit: Any, compare: str = "none", **options: Any) -> list[dict[str, Any]]:
    """A reader and a deduplicator that compares."""
    pit.misbehave_late()
    return [pit.read(), {"id": "near", "uses": "dedup.wary", "with": {"compare": compare, **options}}]


def texts(pit: Any, outputs: dict[str, Any], store: str) -> list[str]:
    """Return the texts that a run kept."""
    return [row["text"] for row in pit.rows(outputs, "near", store)]


def without(pit: Any, *words: str) -> None:
    """Take the documents with these words out of the input."""
    for path in (pit.root / "data").iterdir():
        lines = [line for line in path.read_text().splitlines() if not any(word in line for word in words)]
        path.write_text("".join(f"{line}\n" for line in lines))


@pytest.fixture(scope="module")
def compared(new_pit: Callable[[], Any]) -> tuple[Any, dict[str, Any]]:
    """A pit, and the outputs of a run whose deduplicator raises on pairs with poison."""
    pit = new_pit()
    pit.documents(files=2, poison=POISON, word="POISON")
    return pit, pit.run(steps(pit, "raise"), store="raised", debug=True).outputs


def test_what_cannot_be_compared_is_withheld_and_told(compared: Any, new_pit: Callable[[], Any]) -> None:
    """Neither can be compared with itself: they are in quarantine with step, id and reason; of the others those stay
    that stay without them."""
    pit, outputs = compared
    told = outputs["counts"]["near"]
    assert told["quarantined"] == {"raised ValueError": 3}
    assert (told["in"], outputs["quarantine"]) == (80, 3)
    assert told["out"] + sum(told["removed"].values()) == 77
    bad = pit.quarantine(outputs)
    assert all(b"POISON" in row["raw"] and row["detail"] == "compared with itself: poison found" for row in bad)
    fate = trace(latest_run(pit.root / "raised", "pit"), bad[0]["id"], replay)
    assert (fate.outcome, fate.decisions[-1].step, fate.decisions[-1].rule) == (
        "quarantined",
        "near",
        "raised ValueError",
    )
    other = new_pit()
    other.documents(files=2, poison=POISON, word="POISON")
    without(other, "POISON")
    clean = other.run(steps(other), debug=True).outputs
    assert texts(pit, outputs, "raised") == texts(other, clean, "store")
    assert told["removed"] == clean["counts"]["near"]["removed"]


@pytest.mark.parametrize("action", [one if one in ALONE else pytest.param(one, marks=SOAK) for one in REASONS])
def test_whatever_kills_is_found(compared: Any, action: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pair that ends its worker costs the same documents as one on which the operator raises, and no other."""
    late = REASONS[action] == "passed its deadline"
    monkeypatch.setattr(deadline, "PATIENCE", 1 if late else deadline.PATIENCE)
    pit, raised = compared
    outputs = pit.run(steps(pit, action), store=action, limits={"deadline": 0.5} if late else {}).outputs
    assert outputs["counts"]["near"]["quarantined"] == {REASONS[action]: 3}
    assert outputs["outputs"]["near"]["digest"] == raised["outputs"]["near"]["digest"]
    assert [row["id"] for row in pit.quarantine(outputs)] == [row["id"] for row in pit.quarantine(raised)]


def test_documents_that_kill_are_found_behind_those_that_raise(pit: Any) -> None:
    """What raises ends a call before the call reaches what kills: both are withheld, each for its reason."""
    pit.documents(files=1, rows=12, poison=[(0, 7)], word="POISON")
    path = pit.root / "data/0.jsonl"
    path.write_text(path.read_text().replace("document 0 of file 0 is calm  ", "document 0 of file 0 is LEFT  "))
    outputs = pit.run(steps(pit, "exit1", raises=True)).outputs
    assert outputs["counts"]["near"]["quarantined"] == {"exited with code 1": 1, "raised ValueError": 1}


@pytest.mark.parametrize("action", ["raise", pytest.param("segfault", marks=SOAK)])
def test_of_two_that_only_fail_together_the_later_is_withheld(pit: Any, action: str) -> None:
    """Each can be compared with all others and with itself: the later one goes, with the id of the earlier."""
    pit.documents(files=2, poison=[(0, 5)], word=" LEFT ")
    path = pit.root / "data/1.jsonl"
    path.write_text(path.read_text().replace("document 2 of file 1 is calm  ", "document 2 of file 1 is RIGHT "))
    outputs = pit.run(steps(pit, action), debug=action == "raise").outputs
    (bad,) = pit.quarantine(outputs)
    assert b"RIGHT" in bad["raw"]
    (first,) = [row["id"] for row in pit.rows(pit.run(steps(pit), debug=True).outputs, "near") if "LEFT" in row["text"]]
    assert bad["detail"].startswith(f"compared with {first}")


def test_they_stay_out_until_they_are_tried_again(pit: Any) -> None:
    """A run after the fix does nothing; with `retry` they come in, and the dataset is that of an empty store."""
    pit.documents(files=2, poison=POISON, word="POISON")
    pit.run(steps(pit, "raise"), debug=True)
    tree = pit.tree()
    again = pit.run(steps(pit), debug=True).outputs
    assert again["counts"]["near"]["quarantined"] == {"raised ValueError": 3}
    assert pit.tree() == tree
    mended = pit.run(steps(pit), debug=True, retry=True).outputs
    assert (mended["quarantine"], pit.quarantine(mended)) == (0, [])
    calm = pit.run(steps(pit), store="calm", debug=True).outputs
    assert mended["outputs"]["near"]["digest"] == calm["outputs"]["near"]["digest"]


def test_earlier_documents_that_cannot_be_compared_are_told(pit: Any) -> None:
    """Poison in `against` is no input of the step: it is counted aloud, all else goes on."""
    pit.documents(files=2, poison=[(0, 3)], word="POISON")
    old = {"id": "old", "uses": "read.jsonl", "with": {"paths": "data/0.jsonl", "shard": 16000}}
    pit.misbehave_late()
    near = {"id": "near", "uses": "dedup.wary", "with": {"compare": "raise"}}
    new = {**old, "id": "new", "with": {"paths": "data/1.jsonl", "shard": 16000}}
    result = pit.run([old, new, {**near, "needs": {"documents": "new", "against": "old"}}], debug=True)
    assert result.outputs["counts"]["near"]["quarantined"] == {}
    (notice,) = [one for one in result.notices if "against" in one]
    assert notice.startswith("near: 1 earlier documents (`against`) cannot be compared (raised ValueError 1)")


def test_kills_from_outside_withhold_nothing(pit: Any, until: Any, processes: Any) -> None:
    """The worker is killed while it compares, then the child that tries the pairs: nothing is in quarantine."""
    pit.documents(files=1)
    calm = pit.run(steps(pit), store="calm", debug=True).outputs
    signals = pit.root / "signals"
    signals.mkdir()

    def killer(ended: threading.Event) -> None:
        known: set[str] = set()
        for _ in range(3):
            new = until(
                lambda known=known: {one.name for one in signals.glob("worker-*")} - known, "somebody who compares"
            )
            known |= new
            for name in new:
                assert processes.kill(int(name.removeprefix("worker-")))
        until(lambda known=known: {one.name for one in signals.glob("worker-*")} - known, "another go")
        (signals / "go").touch()

    with processes.in_background(killer):
        outputs = pit.run(steps(pit, signals=str(signals)), limits={"deadline": None}).outputs
    assert outputs["quarantine"] == 0
    assert outputs["outputs"]["near"]["digest"] == calm["outputs"]["near"]["digest"]


def test_a_deduplicator_that_dies_of_all_pairs_stops_the_run(pit: Any) -> None:
    """Ten documents that cannot be compared, one after the other: plugin, step, and the ids of the last two."""
    pit.documents(files=1, rows=30)
    with pytest.raises(OperatorError, match=r"dedup\.alike exited with code 1 on 10 documents in a row") as caught:
        pit.run([pit.read(), {"id": "near", "uses": "dedup.alike", "with": {"compare": "exit1"}}])
    ids = {row["id"] for row in pit.rows(pit.run([pit.read()], debug=True).outputs, "read")}
    one, _, other = caught.value.where.partition("documents ")[2].partition(",")[0].partition(" and ")
    assert {one, other} < ids
    assert caught.value.where.startswith("step near (dedup.alike), documents ")
    assert caught.value.hint == "corpusmill plugins check ./faulty.py"


def test_a_deduplicator_that_answers_something_else_stops_the_run(pit: Any) -> None:
    """Too few numbers are the operator's fault, never a pair's."""
    pit.documents(files=1)
    pit.misbehave_late()
    with pytest.raises(OperatorError, match=r"Short\.similarity\(\) returned float64 of shape \(1,\)") as caught:
        pit.run([pit.read(), {"id": "near", "uses": "dedup.short"}], debug=True)
    assert str(caught.value.where).startswith("step near (dedup.short)")


@SOAK
def test_on_ray(compared: Any) -> None:
    """The same documents."""
    pit, raised = compared
    outputs = pit.run(steps(pit, "segfault"), store="ray", executor="ray").outputs
    assert outputs["executor"] == "ray"
    assert outputs["outputs"]["near"]["digest"] == raised["outputs"]["near"]["digest"]
    assert [row["id"] for row in pit.quarantine(outputs)] == [row["id"] for row in pit.quarantine(raised)]
