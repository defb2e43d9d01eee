"""The Ray executor: shard tasks and pools of long-lived actors on a local cluster or one that is there."""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import socket
from collections.abc import Iterator, Mapping
from math import inf
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import LocalRayletDiedError, RayActorError, RayError, RayTaskError, WorkerCrashedError
from ray.job_config import JobConfig

from corpusmill.errors import ExecutorError
from corpusmill.runner.ray_head import head_is_dead, head_lost, leave_headless
from corpusmill.runner.ray_needs import asked, most_of
from corpusmill.runner.ray_nodes import expect_shared
from corpusmill.runner.ray_pool import RayPool, start_actors
from corpusmill.runner.ray_worker import NEVER, run_on_ray
from corpusmill.runner.reaper import Reaper
from corpusmill.runner.unit import Died, Failed, Outcome, Unit

_MARKER = f"{Path(ray.__file__).parent}{os.sep}"
"""Stands in the commands of all processes that `ray.init` starts."""


class RayExecutor:
    """Runs units as Ray tasks. Ray carries references, never documents, between driver and workers.

    Ray's own retries are off: a poison document would kill each of them, so attempts are counted above, by the
    policy. Workers are reused, so imports and compiled kernels stay warm, until they hold too much.
    """

    name = "ray"

    def __init__(
        self,
        settings: Mapping[str, Any],
        *,
        workers: int | None = None,
        address: str | None = None,
        in_flight: int | None = None,
        record: Path | None = None,
    ):
        """`record`: where the processes of a local cluster are noted, so that the next run can end a dead one's."""
        # Only over what this process starts: a cluster that is joined belongs to others.
        self._local = address is None and not ray.is_initialized()
        self._reaper = Reaper(record, _MARKER) if self._local and record is not None else None
        self._own = False
        try:
            self._own = connect(address, workers)
            expect_shared(settings)
        except BaseException:
            if self._own:
                ray.shutdown()
            self._dismiss_reaper()
            raise
        self.workers = workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
        self._settings = {**settings, "workers": _neighbours()}
        self.in_flight = in_flight or 2 * self.workers
        self._task = ray.remote(max_retries=0, retry_exceptions=False, max_calls=NEVER)(run_on_ray)
        self._running: dict[Any, Unit] = {}

    def submit(self, unit: Unit) -> None:
        """Start a task for a unit with its resources."""
        reference = self._task.options(**asked({"cpus": 1, **unit.resources}), name=unit.kind).remote(
            unit.kind, unit.key, unit.payload, self._settings, unit.handles
        )
        self._running[reference] = unit

    def most(self, resource: str) -> float:
        """Return what the node has that has most; of CPUs and memory a cluster of others may get more with time."""
        if not self._local and resource in ("cpus", "memory"):
            return inf
        return most_of(resource)

    def next(self, timeout: float) -> tuple[Unit, Outcome] | None:
        """Wait for one task."""
        if not self._running:
            return None
        if self._own and head_is_dead():
            _, unit = self._running.popitem()
            return unit, Failed(head_lost())
        ready, _ = ray.wait(list(self._running), num_returns=1, timeout=timeout)
        if not ready:
            return None
        unit = self._running.pop(ready[0])
        return unit, _outcome(ready[0])

    def pools(self, recipes: Mapping[int, Any], resources: Mapping[int, Any]) -> dict[int, RayPool] | None:
        """Start the actors of model-based steps; None when there are none."""
        if not recipes:
            return None
        return {
            step: RayPool(start_actors(self._settings, recipe, resources[step], self.workers))
            for step, recipe in recipes.items()
        }

    def release(self, pools: Mapping[int, Any] | None) -> None:
        """Kill the actors of pools; without a head of the cluster there is nobody who would."""
        if head_is_dead():
            return
        for actor in itertools.chain.from_iterable(pool.actors for pool in (pools or {}).values()):
            ray.kill(actor)

    def cancel(self) -> None:
        """End all tasks in flight by force."""
        for reference in [] if head_is_dead() else self._running:
            with contextlib.suppress(RayError):
                ray.cancel(reference, force=True)
        self._running.clear()

    def close(self) -> None:
        """Leave the cluster; stop it if this run started it."""
        if ray.is_initialized() and self._own:
            leave_headless() if head_is_dead() else ray.shutdown()
        self._dismiss_reaper()

    def _dismiss_reaper(self) -> None:
        if self._reaper is not None:
            self._reaper.dismiss()


def _neighbours() -> int:
    """Return how many workers share the memory of one machine of the cluster, at most."""
    return max([1, *(int(node["Resources"].get("CPU", 1)) for node in ray.nodes() if node["Alive"])])


def _outcome(reference: Any) -> Outcome:
    try:
        outcome: Outcome = ray.get(reference)
        return outcome
    except LocalRayletDiedError:
        # No other worker can be had through it: trying again would only blame the unit.
        return Failed(
            ExecutorError(
                "the part of Ray that this command works through is gone: its raylet on this machine was killed",
                expected="a raylet that lives as long as the run",
                hint="check memory (dmesg), then run the same command again: finished work is kept",
            )
        )
    except (WorkerCrashedError, RayActorError) as error:
        return Died(f"died ({type(error).__name__})")
    except RayTaskError as error:
        return Failed(error.cause if isinstance(error.cause, Exception) else error)
    except RayError as error:
        return Died(f"lost ({type(error).__name__})")


class _InstalledCode(JobConfig):  # type: ignore[misc]
    """A job whose workers import what is installed and nothing else.

    Ray puts the current folder and the script's in front of the workers' path: a `json.py` that lies there would run
    in them. It leaves both out for a job with a working directory of its own.
    """

    def _runtime_env_has_working_dir(self) -> bool:
        return True


def connect(address: str | None, workers: int | None, *, foreign_code: bool = False) -> bool:
    """Connect to `address`, or start a local cluster bound to loopback; return whether this process owns it.

    `foreign_code`: functions of the caller's own script will run in the workers, so its folder is on their path.
    """
    if ray.is_initialized():
        return False
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_raylet_start_wait_time_s", "120")
    os.environ.setdefault("RAY_DEDUP_LOGS", "0")
    quiet: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False, "configure_logging": True}
    if not foreign_code:
        quiet["job_config"] = _InstalledCode()
    if address:
        _expect_reachable(address)
        try:
            with _quiet_stdout(), _on_loopback() if _is_private(address) else contextlib.nullcontext():
                ray.init(address=address, **quiet)
        except Exception as error:
            ray.shutdown()
            raise ExecutorError(
                f"cannot join the Ray cluster at {address!r}: {type(error).__name__}: {error}",
                expected="a cluster that is up, with the same versions of Ray and Python and the same RAY_AUTH_MODE",
                hint="ray status; or leave --address out to start a local cluster",
            ) from error
        return True
    cpus = workers or os.cpu_count() or 1
    for attempt in range(2):
        try:
            with _quiet_stdout(), _no_api_server(), _on_loopback():
                # `local`: without it Ray joins a cluster that anyone has started on this machine.
                here = {"address": "local", "_node_ip_address": "127.0.0.1"}
                ray.init(**here, num_cpus=cpus, include_dashboard=False, **quiet)
        except Exception as error:
            ray.shutdown()
            if attempt:
                raise ExecutorError(
                    f"Ray did not start: {type(error).__name__}: {error}",
                    expected="a local Ray cluster within two minutes",
                    hint="run with --executor inline, or set RAY_raylet_start_wait_time_s to more seconds",
                ) from error
        else:
            return True
    return True


def _expect_reachable(address: str) -> None:
    """Fail at once for a dead address; Ray itself tries for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdigit():
        return
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except OSError as error:
        raise ExecutorError(
            f"no Ray cluster answers at {address!r}: {error.strerror or error}",
            expected="HOST:PORT of a running head node, or `auto`",
            hint="ray status; or leave --address out to start a local cluster",
        ) from error


def _is_private(address: str) -> bool:
    """Return True for a cluster of this machine that listens on loopback alone, as those that `connect` starts.

    Ray would look for it at the machine's other address.
    """
    host, _, port = address.rpartition(":")
    find = getattr(getattr(ray._private, "services", None), "find_gcs_addresses", set)
    return host in ("127.0.0.1", "localhost") and f"127.0.0.1:{port}" in find()


@contextlib.contextmanager
def _no_api_server() -> Iterator[None]:
    """Keep Ray from starting its dashboard process.

    Ray 2.60 starts it even with `include_dashboard=False`, and it asks the metadata addresses of cloud providers
    where it runs: a local run contacts nothing but loopback. There is no public switch; a Ray without this method
    is left as it is.
    """
    node: Any = getattr(getattr(ray._private, "node", None), "Node", None)
    start = getattr(node, "start_api_server", None)
    if start is None:
        yield
        return
    node.start_api_server = lambda self, **_: setattr(self, "_webui_url", None)
    try:
        yield
    finally:
        node.start_api_server = start


@contextlib.contextmanager
def _on_loopback() -> Iterator[None]:
    """Let a node be 127.0.0.1: Ray takes that for "this machine" and listens on every interface of it.

    On other systems than Linux it does so of itself. There is no public switch; a test looks at the sockets.
    """
    services: Any = getattr(ray._private, "services", None)
    resolve = getattr(services, "resolve_ip_for_localhost", None)
    if resolve is None:
        yield
        return
    services.resolve_ip_for_localhost = lambda host: host
    try:
        yield
    finally:
        services.resolve_ip_for_localhost = resolve


@contextlib.contextmanager
def _quiet_stdout() -> Iterator[None]:
    """Ray prints its greeting on stdout, which belongs to the command."""
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        yield
