"""What a worker does with a unit, whatever executor brought it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from typing import Any

from corpusmill.dataset.hashing import hash_json
from corpusmill.errors import StoreError
from corpusmill.run.guard import DISK_FULL, PoolLost
from corpusmill.run.unit import Died, Done, Failed, Outcome
from corpusmill.run.workspace import Workspace

# Threads that wait by spinning starve each other where cores are shared: a training step took a minute instead of a
# second under load. The OpenMP runtime reads this when it is loaded, which no operator has done yet.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

_workspaces: dict[str, Workspace] = {}


def workspace_for(settings: Mapping[str, Any]) -> Workspace:
    """Return this process's workspace for a run's settings, built once."""
    key = hash_json(settings)
    if key not in _workspaces:
        _workspaces.clear()
        _workspaces[key] = Workspace(settings)
    return _workspaces[key]


def run_unit(kind: str, key: str, payload: Mapping[str, Any], settings: Mapping[str, Any], handles: Any) -> Outcome:
    """Run one unit and return its outcome; exceptions become `Failed`."""
    try:
        return _KINDS[kind](payload, workspace_for(settings), key, handles)
    except PoolLost as error:
        return Died(error.what)
    except OSError as error:
        return Failed(_full(error, settings) if error.errno in DISK_FULL else error)
    except Exception as error:
        return Failed(error)


def _full(error: OSError, settings: Mapping[str, Any]) -> StoreError:
    """Return what a full disk under the files being built means: Arrow raises it without a word on the place."""
    free = shutil.disk_usage(settings["scratch"]).free
    return StoreError(
        f"no space left for files being built: {free} bytes free",
        where=settings["scratch"],
        expected="room for what a worker builds before it is published (a part is about as large as its input)",
        hint="free some space or set `run: {scratch: PATH}`, then run the same command: finished work is kept",
    )


def _pass(payload: Mapping[str, Any], workspace: Workspace, key: str, handles: Any) -> Done:
    from corpusmill.run.pass_unit import run_pass

    return run_pass(payload, workspace, key, handles)


def _identify(payload: Mapping[str, Any], workspace: Workspace, key: str, handles: Any) -> Done:
    from corpusmill.run.identify_unit import run_identify

    return Done(run_identify(payload, workspace))


def _sketch(payload: Mapping[str, Any], workspace: Workspace, key: str, handles: Any) -> Done:
    from corpusmill.run.dedup_units import run_sketch

    return Done(run_sketch(payload, workspace, key))


def _join(payload: Mapping[str, Any], workspace: Workspace, key: str, handles: Any) -> Done:
    from corpusmill.run.dedup_units import run_join

    return Done(run_join(payload, workspace, key))


def _components(payload: Mapping[str, Any], workspace: Workspace, key: str, handles: Any) -> Done:
    from corpusmill.run.dedup_units import run_components

    return Done(run_components(payload, workspace, key))


def _select(payload: Mapping[str, Any], workspace: Workspace, key: str, handles: Any) -> Done:
    from corpusmill.run.dedup_units import run_select

    return Done(run_select(payload, workspace, key))


def _repeats(payload: Mapping[str, Any], workspace: Workspace, key: str, handles: Any) -> Done:
    from corpusmill.run.unique_ids import run_repeats

    return Done(run_repeats(payload, workspace, key))


def _encode(payload: Mapping[str, Any], workspace: Workspace, key: str, handles: Any) -> Done:
    from corpusmill.run.token_units import run_encode

    return Done(run_encode(payload, workspace, key))


def _windows(payload: Mapping[str, Any], workspace: Workspace, key: str, handles: Any) -> Done:
    from corpusmill.run.token_units import run_windows

    return Done(run_windows(payload, workspace, key))


def _global(payload: Mapping[str, Any], workspace: Workspace, key: str, handles: Any) -> Done:
    from corpusmill.run.global_unit import run_global

    return Done(run_global(payload, workspace, key))


def _write(payload: Mapping[str, Any], workspace: Workspace, key: str, handles: Any) -> Done:
    from corpusmill.run.write_unit import run_write

    return Done(run_write(payload, workspace, key))


_KINDS: dict[str, Callable[[Mapping[str, Any], Workspace, str, Any], Done]] = {
    "pass": _pass,
    "identify": _identify,
    "sketch": _sketch,
    "join": _join,
    "components": _components,
    "select": _select,
    "repeats": _repeats,
    "encode": _encode,
    "windows": _windows,
    "global": _global,
    "write": _write,
}
