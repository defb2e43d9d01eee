"""A training whose worker dies again and again: what it saved between two deaths counts for it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from corpusmill.errors import ExecutorError

PLUGIN = '''
import json
import os
import signal
from corpusmill import Documents, Trainer, hookimpl, option


class Mortal(Trainer):
    """Ten steps, and a death after some of them; every other step leaves a checkpoint."""

    inputs = {"documents": Documents()}
    exact = True

    class Options(Trainer.Options):
        deaths: list[int] = option(default_factory=list, help="where it dies once each", affects_result=False)

    def run(self, inputs, work):
        found = work.latest_checkpoint()
        first = int((found / "step").read_text()) if found else 0
        for step in range(first, 10):
            if step % 2 == 0 and step > first:
                work.checkpoint(step, lambda folder: (folder / "step").write_text(str(step)))
            for death in range(self.options.deaths.count(step)):
                try:
                    os.mkdir(work.folder / f"death-{step}-{death}")
                except FileExistsError:
                    continue
                os.kill(os.getpid(), signal.SIGKILL)
        (work.output / "model.safetensors").write_text(json.dumps(list(range(10))))
        return {"first": 0}


@hookimpl
def corpusmill_register(registry):
    registry.trainer("mortal", ":Mortal", "Die.")
'''


def steps(pit: Any, deaths: list[int]) -> list[dict[str, Any]]:
    (pit.root / "faulty.py").write_text(PLUGIN, encoding="utf-8")
    pit.documents(files=1, rows=3)
    return [pit.read(), {"id": "model", "uses": "train.mortal", "needs": "read", "with": {"deaths": deaths}}]


def told(pit: Any) -> list[int]:
    """The attempts that the newest journal tells of."""
    (journal,) = pit.root.glob("store/runs/pit/*/journal.jsonl")
    events = [json.loads(line) for line in journal.read_text(encoding="utf-8").splitlines()]
    return [one["data"]["attempt"] for one in events if one["event"] == "worker_died"]


def test_a_training_that_gets_on_is_not_given_up(pit: Any) -> None:
    """Six deaths, never three of them between the same checkpoints: the run ends well, with the calm bytes."""
    outputs = pit.run(steps(pit, [2, 2, 5, 6, 8, 9])).outputs
    assert outputs["status"] == "done"
    assert told(pit) == [1, 2, 3, 4, 5, 6]
    pit.run(steps(pit, []), store="calm", debug=True)
    assert pit.tree() == pit.tree("calm")


def test_a_training_that_stands_still_ends(pit: Any) -> None:
    """Three deaths after one checkpoint stop the run, which says how many there were and since when."""
    with pytest.raises(ExecutorError) as caught:
        pit.run(steps(pit, [2, 6, 7, 7]))
    assert "4 times on the same unit of work, 3 of them since it last saved its state" in caught.value.what
    assert told(pit) == [1, 2, 3]
