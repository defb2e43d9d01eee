"""What a worker does with a unit, whatever executor brought it."""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib import import_module
from typing import Any

from corpusmill.dataset.hashing import hash_json
from corpusmill.dataset.inventory import files_in
from corpusmill.errors import StoreError
from corpusmill.plugin.surroundings import Surroundings
from corpusmill.runner.fatigue import weariness
from corpusmill.runner.guard import DISK_FULL, PoolLost
from corpusmill.runner.postponed import postpone_pandas
from corpusmill.runner.unit import Died, Done, Failed, Outcome
from corpusmill.runner.whole_call import attributed
from corpusmill.runner.workspace import Workspace

# Threads that wait by spinning starve each other where cores are shared: a training step took a minute instead of a
# second under load. The OpenMP runtime reads this when it is loaded, which no operator has done yet.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Read at the first product of matrices on a GPU, whoever needs it, and kept: without it a later training in this
# process is refused the deterministic algorithms that it asks for.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
postpone_pandas()

_UNITS = {
    "pass": "pass_unit:run_pass",
    "identify": "identify_unit:run_identify",
    "sketch": "dedup_units:run_sketch",
    "withhold": "withheld_unit:run_withhold",
    "merge": "merge_units:run_merge",
    "merge-masks": "merge_units:run_merge_masks",
    "join": "dedup_units:run_join",
    "components": "dedup_units:run_components",
    "select": "dedup_units:run_select",
    "segment-sketch": "segment_units:run_segment_sketch",
    "segment-mask": "segment_units:run_segment_mask",
    "segment-repeats": "segment_units:run_segment_repeats",
    "segment-shares": "segment_units:run_segment_shares",
    "segment-cut": "segment_units:run_segment_cut",
    "repeats": "unique_ids:run_repeats",
    "encode": "token_units:run_encode",
    "windows": "token_units:run_windows",
    "global": "global_unit:run_global",
    "write": "write_unit:run_write",
}
"""Kind of unit -> the function that does it, in this room; imported when the first one comes."""

_workspaces: dict[str, Workspace] = {}


def workspace_for(settings: Mapping[str, Any]) -> Workspace:
    """Return this process's workspace for a run's settings, built once."""
    key = hash_json(settings)
    if key not in _workspaces:
        _workspaces.clear()
        gc.unfreeze()  # what the last run left behind may be collected now
        _workspaces[key] = Workspace(settings)
    return _workspaces[key]


def run_in_worker(
    kind: str, key: str, payload: Mapping[str, Any], settings: Mapping[str, Any], handles: Any
) -> Outcome:
    """Run one unit in a process that does nothing but run units; a `weary` one is ended by whoever called this."""
    _collect_seldom()
    try:
        outcome = run_unit(kind, key, payload, settings, handles)
    finally:
        _collect_what_the_unit_left()
    if isinstance(outcome, Done) and (why := weariness(settings)):
        return replace(outcome, weary=why)
    return outcome


@cache
def _collect_seldom() -> None:
    """Rows come and go by the thousand and hold no cycles; looking through them costs a cheap chain 3 % of its time."""
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)


def _collect_what_the_unit_left() -> None:
    """Free the cycles of a finished unit: writers and ledgers know their chain, and hold a megabyte or two of rows.

    What survives is kept out of later collections, so that each looks at one unit's objects only: a tenth of a
    millisecond instead of fifty.
    """
    gc.collect()
    gc.freeze()


def run_unit(kind: str, key: str, payload: Mapping[str, Any], settings: Mapping[str, Any], handles: Any) -> Outcome:
    """Run one unit and return its outcome; exceptions become `Failed`."""
    surroundings = Surroundings()
    try:
        module, _, name = _UNITS[kind].partition(":")
        workspace = workspace_for(settings)
        workspace.pools = handles
        result = getattr(import_module(f"corpusmill.runner.{module}"), name)(payload, workspace, key)
        return result if isinstance(result, Done) else Done(result)
    except PoolLost as error:
        return Died(error.what)
    except OSError as error:
        _discard_scratch()
        return Failed(_full(payload, settings) if error.errno in DISK_FULL else attributed(error))
    except Exception as error:
        _discard_scratch()
        return Failed(attributed(error))
    finally:
        surroundings.restore()


def _discard_scratch() -> None:
    """Remove what a failed unit was building: where space is short, it must not take it."""
    for workspace in _workspaces.values():
        workspace.store.discard_scratch()


def _full(payload: Mapping[str, Any], settings: Mapping[str, Any]) -> StoreError:
    """Return what a full disk under the files being built means: Arrow raises it without a word on the place."""
    free = shutil.disk_usage(settings["scratch"]).free
    read = _read_bytes(payload)
    needed = f"about {read} bytes needed, " if read else ""
    return StoreError(
        f"no space left for files being built: {needed}{free} bytes free",
        where=settings["scratch"],
        expected="room for what a worker builds before it is published (a part is about as large as its input)",
        hint="free some space or set `run: {scratch: PATH}`, then run the same command: finished work is kept",
    )


def _read_bytes(payload: Mapping[str, Any]) -> int:
    """Return how many bytes of files a unit of work reads."""
    source = payload.get("source", payload)
    ranges = sum(stop - start for _, _, start, stop, *_ in source.get("ranges", ()))
    return int(ranges) or sum(reference.bytes for reference in files_in(source))
