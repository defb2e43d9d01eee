"""What a faulty plugin makes a run say, word for word: plugin, step, shard, document, attempt, and what to do."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from corpusmill.errors import CorpusmillError
from corpusmill.runner import deadline

FOLDER = Path(__file__).parents[1] / "golden" / "faults"
EVERYWHERE = [(file, row) for file in range(25) for row in range(120)]
CASES: dict[str, dict[str, Any]] = {
    "raises-on-all": {"rows": 120, "action": "raise", "debug": True},
    "raises-on-all-of-short-files": {"files": 25, "rows": 5, "action": "raise", "debug": True},
    "exits-on-all": {"action": "exit7"},
    "sleeps-on-all": {"action": "sleep", "rows": 12},
    "too-many-bad": {"poison": [(0, 3), (0, 9)], "action": "raise", "debug": True, "fraction": 0.01},
    "too-many-bad-by-number": {"poison": [(0, 3), (0, 9)], "action": "raise", "debug": True, "records": 1},
    "wrong-rows": {"uses": "clean.upper", "breach": "rows", "debug": True},
    "wrong-type": {"uses": "annotate.count", "breach": "type", "debug": True},
    "nothing-returned": {"uses": "filter.measure", "breach": "nothing", "debug": True},
    "sketch-raises-on-all": {"uses": "dedup.same", "rows": 120, "action": "raise", "debug": True},
    "sketch-raises-on-all-of-short-files": {
        "uses": "dedup.same",
        "files": 25,
        "rows": 5,
        "action": "raise",
        "debug": True,
    },
    "sketch-dies-on-all": {"uses": "dedup.same", "action": "exit7"},
    "sketch-raises-on-too-many": {
        "uses": "dedup.same",
        "poison": [(0, 3), (0, 9)],
        "action": "raise",
        "debug": True,
        "fraction": 0.01,
    },
    "reader-dies": {"uses": "read.lines", "poison": [(0, 3)], "action": "segfault"},
    "slow-as-a-whole": {"action": "nap", "poison": EVERYWHERE[:40]},
}


@pytest.mark.parametrize("case", CASES)
def test_said_word_for_word(pit: Any, case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`CORPUSMILL_WRITE_GOLDEN=1` writes the file; ids, keys and places differ between machines and stand as marks."""
    monkeypatch.setattr(deadline, "PATIENCE", 1)
    want = dict(CASES[case])
    with (pit.root / "faulty.py").open("a") as plugin:
        plugin.write("\n\nACTIONS['nap'] = lambda: time.sleep(0.02)\n")
    pit.documents(
        files=want.pop("files", 1), rows=want.pop("rows", 40), poison=want.pop("poison", EVERYWHERE), word="POISON"
    )
    debug, uses = want.pop("debug", False), want.pop("uses", "filter.faulty")
    limits = {"deadline": 0.3}
    limits |= {"max_bad_fraction": want.pop("fraction")} if "fraction" in want else {}
    limits |= {"max_bad_records": want.pop("records")} if "records" in want else {}
    steps = [pit.read(), {"id": "judge", "uses": uses, "with": want}]
    steps[0]["with"]["shard"] = 500 if case.endswith("short-files") else 1_000_000
    if uses == "read.lines":
        steps = [{"id": "read", "uses": uses, "with": {"paths": "data/*.jsonl", **want}}]
    with pytest.raises(CorpusmillError) as caught:
        pit.run(steps, limits=limits, debug=debug)
    same_as_golden(case, str(caught.value).replace(str(pit.root), "ROOT"))


def same_as_golden(name: str, text: str) -> None:
    """Compare with the file."""
    golden = FOLDER / f"{name}.txt"
    text = re.sub(r"\b[0-9a-f]{32}\b", "ID", text)
    text = re.sub(r"shard [0-9a-f]{12}\b", "shard DIGEST", text)
    text = re.sub(r"from (\d+) to \d+", r"from \1 to END", text) + "\n"
    if os.environ.get("CORPUSMILL_WRITE_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")
