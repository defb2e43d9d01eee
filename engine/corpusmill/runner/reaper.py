"""The reaper: ends the local Ray cluster of a driver that was killed, from a process of its own or in the next run."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import subprocess
import sys
import time
from pathlib import Path

from corpusmill.runner.family import Processes, end, family, is_alive, process_start

FILE_NAME = "processes.json"
_LOOK, _QUICK_LOOK, _SETTLED = 1.0, 0.1, 5.0
"""Seconds between looks at which processes there are; quick ones until nothing has changed for `_SETTLED`."""
_DONE = b"done"
_WAIT = 10.0


class Reaper:
    """Watches over the cluster that this process is about to start; `marker` stands in its commands.

    Ray's head processes end with their driver, its agents outlive it by a minute. The reaper holds the other end of a
    pipe: when that closes without a word the driver is dead, and all that it started goes at once. What there is
    stands in `record` meanwhile, for the next run, should the reaper be killed too.
    """

    def __init__(self, record: Path, marker: str):
        # -P: what lies in the current folder must not be imported. A session of its own: Ctrl-C and signals to the
        # driver's group do not reach it.
        command = [sys.executable, "-P", "-m", __name__, str(os.getpid()), marker, str(record)]
        nowhere = subprocess.DEVNULL
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=nowhere, stderr=nowhere, start_new_session=True
        )

    def dismiss(self) -> None:
        """Say that the cluster was stopped in order; harmless when said twice."""
        stream = self._process.stdin
        if stream is not None and not stream.closed:
            with contextlib.suppress(OSError):
                stream.write(_DONE)
                stream.flush()
            with contextlib.suppress(OSError):
                stream.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_WAIT)


def end_predecessor(record: Path) -> int:
    """End what a killed run of this pipeline left on this machine, as its record says; return how many processes.

    Nothing is touched that another host, another user or a driver that lives recorded. Call it under the lease.
    """
    try:
        if record.stat().st_uid != os.getuid():
            return 0
        content = json.loads(record.read_bytes())
        driver, processes = content["driver"], {int(pid): str(start) for pid, start in content["processes"].items()}
        host = content["host"]
        alive = is_alive(int(driver[0]), driver[1])
    except FileNotFoundError:
        return 0
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError):
        host, alive, processes = socket.gethostname(), False, {}  # a torn record tells of nobody
    if host != socket.gethostname() or alive:
        return 0
    ended = end(processes)
    with contextlib.suppress(OSError):
        record.unlink(missing_ok=True)
    return ended


def watch(driver: int, marker: str, record: Path) -> None:
    """Keep the record of a driver's cluster until the driver says that it is done or dies; then end what is left."""
    known: dict[int, str] = {}
    start, changed, said = process_start(driver), time.monotonic(), b""
    # A child that the driver forked may hold the pipe open after its death: the driver itself is looked at, too.
    while is_alive(driver, start):
        pause = _QUICK_LOOK if time.monotonic() - changed < _SETTLED else _LOOK
        if select.select([0], [], [], pause)[0]:
            said = os.read(0, len(_DONE))
            break
        found = {pid: since for pid, since in known.items() if is_alive(pid, since)} | family(driver, marker)
        found.pop(os.getpid(), None)
        if found != known:
            known, changed = found, time.monotonic()
            _write(record, driver, start, known)
    if said != _DONE:
        end(known)
    with contextlib.suppress(OSError):
        record.unlink(missing_ok=True)


def _write(record: Path, driver: int, start: str | None, processes: Processes) -> None:
    content = {"host": socket.gethostname(), "driver": [driver, start], "processes": processes}
    beside = record.with_name(f".{record.name}-{os.getpid()}")
    # The record is for the next run alone: a full disk must not keep the reaper from its work.
    with contextlib.suppress(OSError):
        beside.write_text(json.dumps(content))
        beside.replace(record)


if __name__ == "__main__":
    watch(int(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
