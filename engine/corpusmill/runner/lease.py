"""The lease: one run of a pipeline at a time in a store, as advice that saves double work, not correctness."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import threading
import time
import uuid
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import orjson

from corpusmill.dataset.store import Store, write_errors
from corpusmill.errors import RunLocked
from corpusmill.runner.family import is_alive, process_space, process_start

HEARTBEAT = 10.0
STALE = 120.0
"""Seconds without a heartbeat after which a holder on another host is looked at closely."""
WATCH = 3 * HEARTBEAT
"""Seconds for which it is watched then: clocks differ between machines and are set, so an age alone proves nothing."""
_LOOK = 0.5
_SKEW = 1.0


class Lease:
    """Holds `<store>/runs/<name>/lease.json` while a run lives.

    Correctness does not rest on it: names are digests and records are put if absent. A lease is taken over when its
    process is gone, or, on another host, when its heartbeat has stopped. Raises RunLocked, or waits. A holder that was
    suspended until another took over goes on beside it: both make the same bytes, neither touches the other's lease.
    """

    def __init__(self, store: Store, name: str, *, wait: bool = False):
        self._path = store.runs_root / "runs" / name / "lease.json"
        self._wait = wait
        self._mine = uuid.uuid4().hex
        self._ended = threading.Event()
        self._beating = threading.Lock()

    def __enter__(self) -> Lease:
        with write_errors(str(self._path)):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._acquire()
        threading.Thread(target=self._beat, daemon=True, name="lease").start()
        return self

    def _acquire(self) -> None:
        while not self._take():
            holder = _read(self._path)
            if holder is None:
                continue
            if not _lives(holder, self._path):
                self._remove(holder["token"])
            elif self._wait:
                time.sleep(_LOOK)
            else:
                raise RunLocked(
                    f"another run of this pipeline is going on (pid {holder['pid']} on {holder['host']})",
                    where=f"{self._path}, since {holder['since']}",
                    expected="one run of a pipeline at a time in a store",
                    hint="wait for it, pass --wait, or use another --store",
                )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._beating:  # a beat that is going on must not take the lease again afterwards
            self._ended.set()
        # A store that was removed, or may no longer be written to: why the run ended says more, and dead leases go.
        with contextlib.suppress(OSError):
            self._remove(self._mine)

    def _take(self) -> bool:
        """Create the file whole, under a name of its own, then link it: the link fails if there is a holder."""
        content = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "since": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "process_start": process_start(os.getpid()),
            "processes": process_space(),
            "token": self._mine,
        }
        beside = self._path.with_name(f".lease-{uuid.uuid4().hex}")
        beside.write_bytes(orjson.dumps(content))
        try:
            os.link(beside, self._path)
        except FileExistsError:
            return False
        finally:
            beside.unlink(missing_ok=True)
        return True

    def _remove(self, token: str) -> None:
        """Remove the lease if it is still this one: between looking and removing nobody else may do the same."""
        with self._path.with_name(".lease-lock").open("w") as lock:
            with contextlib.suppress(OSError):  # a file system without locks: the lease is advice
                fcntl.flock(lock, fcntl.LOCK_EX)
            holder = _read(self._path)
            if holder is not None and holder["token"] == token:
                self._path.unlink(missing_ok=True)

    def _beat(self) -> None:
        while not self._ended.wait(HEARTBEAT):
            with contextlib.suppress(OSError), self._beating:
                self._keep()

    def _keep(self) -> None:
        """Touch the lease while it is ours; take it again where whoever took it over meanwhile is done with it."""
        if self._ended.is_set():
            return
        holder = _read(self._path)
        if holder is None:
            self._take()
        elif holder["token"] == self._mine:
            os.utime(self._path)


@dataclass(frozen=True)
class Held:
    """A lease as it lies in a store: whose run, its file, whether its holder lives, since when (epoch seconds)."""

    name: str
    path: Path
    lives: bool
    since: float
    token: str


def held_leases(store: Store) -> list[Held]:
    """Return the leases of a store by the name of their pipeline; `since` is 0 where the lease does not say it."""
    found = []
    for path in sorted((store.runs_root / "runs").glob("*/lease.json")):
        holder = _read(path)
        if holder is not None:
            lives = _lives(holder, path)
            found.append(Held(path.parent.name, path, lives, _since(holder), str(holder["token"])))
    return found


def drop_lease(store: Store, held: Held) -> None:
    """Remove a lease whose holder is dead, unless another run has taken it over since."""
    Lease(store, held.name)._remove(held.token)


def _since(holder: dict[str, Any]) -> float:
    try:
        return datetime.strptime(str(holder.get("since")), "%Y-%m-%dT%H:%M:%S%z").timestamp()
    except ValueError:
        return 0.0


def _read(path: Path) -> dict[str, Any] | None:
    """Return what the lease says; a file that says nothing sensible is a dead process's and has no token."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    silent = {"token": "", "pid": 0, "host": "", "since": "", "process_start": None, "processes": None}
    try:
        holder = orjson.loads(data)
        return {**silent, **holder, "pid": int(holder["pid"]), "host": str(holder["host"])}
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return silent


def _lives(holder: dict[str, Any], path: Path) -> bool:
    if holder["host"] != socket.gethostname():
        return bool(holder["host"]) and (_is_fresh(path) or _beats(path))
    if holder["processes"] not in (None, process_space()):
        # Another machine or container of the same name, or this machine before it was started again.
        return _beats(path)
    if holder["process_start"] is not None:
        # A number that was given to another process since says nothing, nor one that is dead and waits for its parent.
        return is_alive(holder["pid"], holder["process_start"])
    try:
        os.kill(holder["pid"], 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _is_fresh(path: Path) -> bool:
    """Say whether the last heartbeat is not long ago, by the clock of the file system that both hosts write to.

    A time that is still to come says nothing: some clock was set.
    """
    beat = _last_beat(path)
    return beat is not None and -_SKEW <= _time_there(path.parent) - beat / 1e9 < STALE


def _time_there(folder: Path) -> float:
    """Return the time of a folder's file system, in seconds; of this machine where nothing may be written."""
    probe = folder / f".lease-{uuid.uuid4().hex}"
    try:
        probe.touch()
        return probe.stat().st_mtime
    except OSError:
        return time.time()
    finally:
        with contextlib.suppress(OSError):
            probe.unlink(missing_ok=True)


def _beats(path: Path) -> bool:
    """Watch a lease for some heartbeats, by a clock that nobody sets; say whether one came."""
    before, end = _last_beat(path), time.monotonic() + WATCH
    while before is not None and time.monotonic() < end:
        time.sleep(_LOOK)
        now = _last_beat(path)
        if now != before:
            return now is not None
    return False


def _last_beat(path: Path) -> int | None:
    """Return the time of the last heartbeat in ns, None without a lease; NFS answers from a cache unless it opens."""
    try:
        with path.open("rb") as stream:
            return os.fstat(stream.fileno()).st_mtime_ns
    except FileNotFoundError:
        return None
