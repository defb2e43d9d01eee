"""A document that a deduplicator of segments fails on once it lost some is withheld, alone; nothing else changes."""

from __future__ import annotations

from typing import Any

import pytest

from corpusmill.errors import OperatorError
from corpusmill.runner import deadline

SOAK = pytest.mark.soak
POISON = [(0, 20), (2, 17), (2, 18)]
"""None of them is the first with its tail, so each loses it."""
REASONS = {
    "raise": "raised ValueError",
    "segfault": "crashed (signal 11)",
    "exit1": "exited with code 1",
    "sleep": "passed its deadline",
}


def steps(pit: Any, measure: str = "none") -> list[dict[str, Any]]:
    """A reader and a deduplicator of segments."""
    return [pit.read(), {"id": "near", "uses": "dedup.tails", "with": {"measure": measure}}]


@pytest.mark.parametrize(
    "action", [one if one in ("raise", "segfault") else pytest.param(one, marks=SOAK) for one in REASONS]
)
def test_the_document_is_withheld_and_nothing_else(pit: Any, action: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is in quarantine as it came; of the others the same is cut as in a run without it, and a rerun does nothing;
    with `retry` all of them are there."""
    late = REASONS[action] == "passed its deadline"
    monkeypatch.setattr(deadline, "PATIENCE", 1 if late else deadline.PATIENCE)
    pit.documents(poison=POISON, word="SHORN")
    outputs = pit.run(steps(pit, action), debug=action == "raise", limits={"deadline": 0.5} if late else {}).outputs
    told = outputs["counts"]["near"]
    assert (told["in"], told["out"], told["quarantined"]) == (120, 117, {REASONS[action]: 3})
    bad = pit.quarantine(outputs)
    assert all(b"SHORN" in row["raw"] and b"and goes on" in row["raw"] for row in bad)
    tree = pit.tree()
    again = pit.run(steps(pit), debug=True).outputs
    assert (again["counts"]["near"]["quarantined"], pit.tree()) == (told["quarantined"], tree)
    mended = pit.run(steps(pit), debug=True, retry=True).outputs
    assert (mended["counts"]["near"]["out"], mended["quarantine"]) == (120, 0)
    for path in (pit.root / "data").iterdir():
        lines = [line for line in path.read_text().splitlines() if "SHORN" not in line]
        path.write_text("".join(f"{line}\n" for line in lines))
    without = pit.run(steps(pit), store="without", debug=True).outputs
    found = [row["text"] for row in pit.rows(outputs, "near")]
    assert found == [row["text"] for row in pit.rows(without, "near", "without")]
    assert told["cut"] == without["counts"]["near"]["cut"]


def test_one_that_dies_of_all_stops_the_run(pit: Any) -> None:
    """Ten documents in a row: plugin, step, and the id of the last."""
    pit.documents(files=2, poison=[(1, row) for row in range(40)], word="SHORN")
    with pytest.raises(OperatorError, match=r"dedup\.tails exited with code 1 on 10 documents in a row") as caught:
        pit.run(steps(pit, "exit1"))
    assert caught.value.where.startswith("step near (dedup.tails), document ")
