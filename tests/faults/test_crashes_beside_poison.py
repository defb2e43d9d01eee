"""Every crash point of a run that withholds pairs and leaves documents out of its export: a rerun gives the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from crash_points import Medium, Recording, record, resume
from crash_scenario import Scenario

from corpusmill.plan.check import check

SAMPLE = 8


class Poisoned(Scenario):
    """Two shards, a deduplicator that cannot compare some documents, a writer that cannot write others."""

    def __init__(self, root: Path, plugin: str):
        super().__init__(root)
        (root / "late.py").write_text(plugin, encoding="utf-8")
        for file in range(3):
            texts = [f"document {row} of file {file} goes on{' and on' * row}" for row in range(12)]
            texts[4] += " POISON" if file == 0 else ""
            texts[9] += {0: " LEFT ", 1: " RIGHT"}.get(file, "")
            lines = [json.dumps({"text": text}) + "\n" for text in texts]
            (root / f"data/{file}.jsonl").write_text("".join(lines), encoding="utf-8")
        steps = [
            {"id": "read", "uses": "read.jsonl", "with": {"paths": "data/*.jsonl", "shard": 1000}},
            {"id": "near", "uses": "dedup.wary", "with": {"compare": "raise"}},
            {"id": "whole", "uses": "read.jsonl", "with": {"paths": "data/*.jsonl", "shard": 1000}},
            {
                "id": "export",
                "uses": "write.plain",
                "with": {"path": str(self.export), "action": "raise", "replace": True},
            },
        ]
        spec = {"corpusmill": 1, "name": "crash", "plugins": ["./late.py"], "limits": {"max_bad_fraction": 1.0}}
        (root / "crash.yaml").write_text(json.dumps({**spec, "steps": steps}), encoding="utf-8")
        self.checked = check(root / "crash.yaml")


@pytest.fixture(scope="module")
def medium(tmp_path_factory: pytest.TempPathFactory, new_pit: Callable[[], Any]) -> Medium:
    """The scenario on a disk."""
    pit = new_pit()
    pit.misbehave_late()
    return Medium("local", Poisoned(tmp_path_factory.mktemp("poisoned"), (pit.root / "late.py").read_text()))


@pytest.fixture(scope="module")
def recording(medium: Medium) -> Recording:
    """What a run does, operation by operation, and what a crash after each leaves."""
    return record(medium)


def test_both_steps_leave_documents_out(medium: Medium) -> None:
    """Without that, the tests below would say nothing."""
    counts = medium.scenario.run(medium.fresh())["counts"]
    assert counts["near"]["quarantined"] == {"raised ValueError": 2}
    assert counts["export"]["quarantined"] == {"raised ValueError": 1}


def test_a_crash_after_any_operation(medium: Medium, recording: Recording) -> None:
    """Killed there: nothing named is torn; run again, the same documents are out, for the same reasons."""
    steps = {("near", "kill"), ("export", "kill")}
    cases = [one for one in recording.sample(SAMPLE) if steps & {(point.phase, how) for point, how in one.points}]
    assert len(cases) > SAMPLE
    assert [one for case in cases for one in resume(medium, recording, case)] == []


@pytest.mark.soak
def test_a_crash_after_every_operation(medium: Medium, recording: Recording) -> None:
    """The same at all points there are."""
    assert [one for case in recording.cases for one in resume(medium, recording, case)] == []
