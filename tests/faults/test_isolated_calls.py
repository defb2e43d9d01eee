"""What a call alone in a process of its own costs beside the call."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest

LEAN = """
import os
import sys

import pyarrow as pa

from corpusmill import Filter, at_most, hookimpl


class Lean(Filter):
    def measure_text(self, text):
        pa.array([text])
        if "POISON" in text:
            os._exit("pandas" in sys.modules)
        return {"bytes": len(text)}

    def rules(self):
        return [at_most("bytes", 10**9)]


@hookimpl
def corpusmill_register(registry):
    registry.filter("lean", "lean:Lean", "Exit at POISON: with code 1 where pandas is imported.")
"""


@pytest.mark.skipif(importlib.util.find_spec("pandas") is None, reason="pandas is not installed")
def test_no_process_imports_pandas_on_its_own(pit: Any) -> None:
    """pyarrow would, a third of a second and more on a busy machine, within the deadline of a document's only call."""
    (pit.root / "lean.py").write_text(LEAN)
    pit.plugins = ["./lean.py"]
    pit.documents(files=1, poison=[(0, 3)], word="POISON")
    outputs = pit.run([pit.read(), {"id": "judge", "uses": "filter.lean"}]).outputs
    counts = outputs["counts"]["judge"]
    assert (counts["in"], counts["out"], counts["removed"]) == (40, 39, {})
    assert counts["quarantined"] == {"exited with code 0": 1}
