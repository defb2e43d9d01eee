"""A worker keeps nothing of the units it has done."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys, types, weakref
from corpusmill.runner import worker

class Rows:
    pass

def run(payload, workspace, key):
    rows = Rows()
    rows.owner = rows  # a cycle, as writers and chains have them
    alive.append(weakref.ref(rows))
    return {}

alive = []
module = types.ModuleType("corpusmill.runner.cyclic")
module.run = run
sys.modules[module.__name__] = module
worker._UNITS["cyclic"] = "cyclic:run"
worker.workspace_for = lambda settings: types.SimpleNamespace()
for number in range(3):
    worker.run_in_worker("cyclic", str(number), {}, {}, None)
print(sum(reference() is not None for reference in alive))
"""


def test_cycles_of_a_unit_are_gone_when_it_ends() -> None:
    """Without a collection after each unit a worker's memory grew by one to two megabytes a shard."""
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "0"
