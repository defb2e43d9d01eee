"""A worker that is started afresh instead of forked: nothing of the driver in it, deaths told apart, same bytes."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import pytest

import corpusmill
from corpusmill.plan.check import check
from corpusmill.runner.driver import RunOptions, run_spec

PLUGIN = '''
import os, signal, sys
import pyarrow as pa
from corpusmill import Annotator, Cleaner, hookimpl

class Marked(Annotator):
    """Says whether a module of the driver is here."""
    def adds(self):
        return {"forked": pa.bool_()}
    def annotate(self, batch):
        return {"forked": pa.array(["module_of_the_driver" in sys.modules] * batch.num_rows)}

class Deadly(Cleaner):
    """Kills its process over a word."""
    def clean_text(self, text):
        if text == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        print("a word on stdout")
        return text.upper()

@hookimpl
def corpusmill_register(registry):
    registry.annotator("marked", "here:Marked", "Says where it runs.")
    registry.cleaner("deadly", "here:Deadly", "Kills.")
'''


def spec(folder: Path, uses: str) -> dict[str, Any]:
    (folder / "here.py").write_text(PLUGIN)
    texts = ["one", "die", "two"] if uses == "clean.deadly" else ["one", "two"]
    (folder / "few.jsonl").write_text("".join(f'{{"text": "{text}"}}\n' for text in texts))
    steps = [
        {"id": "raw", "uses": "read.jsonl", "with": {"paths": str(folder / "few.jsonl")}},
        {"id": "step", "uses": uses},
    ]
    top = {"corpusmill": 1, "name": "fresh", "plugins": [str(folder / "here.py")]}
    return {**top, "limits": {"max_bad_fraction": 1}, "steps": steps}


def test_nothing_of_the_driver_is_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules, and with them threads and locks, stay in the driver; a forked worker has them."""
    for threaded in ("torch", "obstore"):  # with them no worker is forked
        monkeypatch.delitem(sys.modules, threaded, raising=False)
    monkeypatch.setitem(sys.modules, "module_of_the_driver", types.ModuleType("module_of_the_driver"))
    checked = check(spec(tmp_path, "annotate.marked"))
    run_spec(checked, RunOptions(store=str(tmp_path / "forked"), executor="inline"))
    forked = corpusmill.open("run:fresh/step", store=tmp_path / "forked")
    assert forked.to_arrow()["forked"].to_pylist() == [True, True]
    fresh = corpusmill.run(spec(tmp_path, "annotate.marked"), store=tmp_path / "fresh", executor="inline")
    assert fresh.dataset("step").to_arrow()["forked"].to_pylist() == [False, False]


def test_a_death_costs_the_document_alone(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """It is told from a good end, the worker is started again, the other documents come through; stdout stays clean."""
    done = corpusmill.run(spec(tmp_path, "clean.deadly"), store=tmp_path / "store", executor="inline")
    assert done.dataset("step").to_arrow()["text"].to_pylist() == ["ONE", "TWO"]
    assert sum(done.counts["step"].quarantined.values()) == 1
    assert "a word on stdout" not in capfd.readouterr().out
