"""The lease of a pipeline in a store that is no folder: an object put if absent, and put again as a heartbeat."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
import uuid
from types import TracebackType
from typing import Any

import orjson

from corpusmill.dataset.store import Store
from corpusmill.errors import CorpusmillError, RunLocked
from corpusmill.runner.family import is_alive, process_start

HEARTBEAT = 30.0
STALE = 150.0
"""Seconds without a heartbeat, by the store's own clock, after which a holder on another host is held to be dead."""
_LOOK = 5.0
_let_go: set[str] = set()
"""Tokens of leases that this process is done with: one that could not be removed then is in nobody's way."""
FILE_NAME = "lease.json"


class RemoteLease:
    """Holds `runs/NAME/lease.json` in an object store while a run lives; does nothing where `runs/` is a folder.

    It is advice, as the lease of a folder is, which is held beside it: that one tells runs on this machine apart at
    once, this one those on others. Raises RunLocked, or waits.
    """

    def __init__(self, store: Store, name: str, *, wait: bool = False):
        self._storage = store.storage if store.storage.remote else None
        self._name, self._place = f"runs/{name}/{FILE_NAME}", store.uri
        self._wait = wait
        self._token = uuid.uuid4().hex
        self._content = self._said()
        self._ended = threading.Event()

    def __enter__(self) -> RemoteLease:
        if self._storage is not None:
            self._acquire()
            threading.Thread(target=self._beat, daemon=True, name="remote-lease").start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        _let_go.add(self._token)
        if self._storage is not None:
            with contextlib.suppress(CorpusmillError, OSError):  # a store that is gone needs no lease
                self._remove(self._token)

    def _acquire(self) -> None:
        assert self._storage is not None
        while (standing := self._storage.put_if_absent(self._name, self._content)) is not None:
            holder = _read(standing)
            if holder["token"] == self._token:
                return  # the put whose answer was lost
            if not self._lives(holder):
                self._remove(str(holder["token"]))
            elif self._wait:
                time.sleep(_LOOK)
            else:
                raise RunLocked(
                    f"another run of this pipeline is going on (pid {holder['pid']} on {holder['host']})",
                    where=f"{self._place}/{self._name}, since {holder['since']}",
                    expected="one run of a pipeline at a time in a store",
                    hint="wait for it, pass --wait, or use another --store",
                )

    def _said(self) -> bytes:
        content = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "since": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "process_start": process_start(os.getpid()),
            "token": self._token,
        }
        return orjson.dumps(content)

    def _lives(self, holder: dict[str, Any]) -> bool:
        if holder["token"] in _let_go:
            return False
        boot = str(process_start(os.getpid())).partition(":")[0]
        if holder["host"] == socket.gethostname() and str(holder["process_start"]).startswith(boot):
            return is_alive(int(holder["pid"]), holder["process_start"])
        return beats(self._storage, self._name)

    def _remove(self, token: str) -> None:
        """Remove the lease if it is still this one; what is done between looking and removing costs double work."""
        assert self._storage is not None
        with contextlib.suppress(FileNotFoundError):
            if _read(self._storage.read(self._name))["token"] == token:
                self._storage.delete(self._name)

    def _beat(self) -> None:
        assert self._storage is not None
        while not self._ended.wait(HEARTBEAT):
            with contextlib.suppress(CorpusmillError, OSError):
                if _read(self._storage.read(self._name))["token"] != self._token:
                    return  # taken over while this machine slept: both make the same bytes
                self._storage.put(self._name, self._content)


def beats(storage: Any, name: str) -> bool:
    """Say whether a lease was written not long ago, by the clock of the store, which all machines see."""
    probe = f"{name}.{uuid.uuid4().hex}"
    try:
        storage.put(probe, b"")
        return bool(storage.modified(probe) - storage.modified(name) < STALE)
    except FileNotFoundError:
        return False
    finally:
        storage.delete(probe)


def running_elsewhere(store: Store) -> dict[str, float]:
    """Return pipeline -> since when (epoch seconds, 0 if unknown) for leases in an object store that are kept up."""
    found: dict[str, float] = {}
    storage = store.storage
    for name in storage.list("runs/") if storage.remote else ():
        parts = name.split("/")
        if len(parts) == 3 and parts[2] == FILE_NAME and beats(storage, name):
            with contextlib.suppress(FileNotFoundError):
                found[parts[1]] = _since(_read(storage.read(name)))
    return found


def _since(holder: dict[str, Any]) -> float:
    from datetime import datetime

    try:
        return datetime.strptime(str(holder["since"]), "%Y-%m-%dT%H:%M:%S%z").timestamp()
    except ValueError:
        return 0.0


def _read(data: bytes) -> dict[str, Any]:
    """Return what a lease says; one that says nothing sensible is nobody's."""
    nobody = {"token": "", "pid": 0, "host": "", "since": "", "process_start": None}
    try:
        return {**nobody, **orjson.loads(data)}
    except (orjson.JSONDecodeError, TypeError):
        return nobody
