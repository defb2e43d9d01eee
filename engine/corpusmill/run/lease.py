"""The lease: one run of a pipeline at a time in a store, as advice that saves double work, not correctness."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from types import TracebackType

import orjson

from corpusmill.dataset.store import Store
from corpusmill.errors import RunLocked


class Lease:
    """Holds `<store>/runs/<name>/lease.json` while a run lives.

    Correctness does not rest on it: names are digests and records are put if absent. A lease whose process is gone
    is taken over.
    """

    def __init__(self, store: Store, name: str, *, wait: bool = False):
        self._path = store.runs_root / "runs" / name / "lease.json"
        self._wait = wait

    def __enter__(self) -> Lease:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        while (holder := _holder(self._path)) is not None:
            if not self._wait:
                raise RunLocked(
                    f"another run of this pipeline is going on (pid {holder['pid']} on {holder['host']})",
                    where=f"{self._path}, since {holder['since']}",
                    expected="one run of a pipeline at a time in a store",
                    hint="wait for it, pass --wait, or use another --store",
                )
            time.sleep(1.0)
        since = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        content = {"pid": os.getpid(), "host": socket.gethostname(), "since": since}
        beside = self._path.with_name(f".lease-{os.getpid()}")
        beside.write_bytes(orjson.dumps(content))
        os.replace(beside, self._path)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._path.unlink(missing_ok=True)


def _holder(path: Path) -> dict[str, str] | None:
    """Return who holds the lease, or None if nobody alive does."""
    try:
        holder: dict[str, str] = orjson.loads(path.read_bytes())
    except (FileNotFoundError, orjson.JSONDecodeError):
        return None
    if holder["host"] == socket.gethostname() and not _alive(int(holder["pid"])):
        return None
    return holder if int(holder["pid"]) != os.getpid() else None


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
