"""The head of a cluster that a run started itself: whether it lives, and how a cluster without one is left."""

from __future__ import annotations

import contextlib
from typing import Any

import ray

from corpusmill.errors import ExecutorError


def head_is_dead() -> bool:
    """Say whether the head's control service, a child of this process, has ended; False where it is not known.

    Without it Ray goes on for a minute, then ends this very process from within, in words of its own. Nothing public
    tells; a Ray that keeps no such list is left to itself.
    """
    return any(one.process.poll() is not None for one in _started().get("gcs_server", ()))


def head_lost() -> ExecutorError:
    """Return the error of a run whose cluster has lost its head."""
    return ExecutorError(
        "the Ray cluster that this run started is dead: its head process (gcs_server) ended",
        expected="a head that lives as long as the run; it is killed by hand, or where memory runs out",
        hint="check memory (dmesg), then run the same command again: finished work is kept",
    )


def leave_headless() -> None:
    """End what is left of a cluster without a head, and forget it: an orderly end would wait for the head's answers."""
    node: Any = ray._private.worker._global_node
    with contextlib.suppress(Exception):  # some of them may have ended by themselves
        node.kill_all_processes(check_alive=False, allow_graceful=False)
    ray.shutdown()


def _started() -> dict[str, Any]:
    node: Any = getattr(getattr(ray._private, "worker", None), "_global_node", None)
    found: dict[str, Any] = getattr(node, "all_processes", {})
    return found
