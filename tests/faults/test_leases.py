"""One run of a pipeline at a time in a store: the second refuses, waits, or takes over from the dead."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import orjson
import pytest

from corpusmill.dataset.store import Store
from corpusmill.errors import RunLocked
from corpusmill.runner.family import process_start
from corpusmill.runner.lease import STALE, Lease


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the lease of the pipeline `mill` lies."""
    path = tmp_path / "runs/mill/lease.json"
    path.parent.mkdir(parents=True)
    return path


def lease(path: Path) -> Lease:
    return Lease(Store(str(path.parent.parent.parent)), "mill")


def content(**changes: Any) -> bytes:
    """A lease as this process would write it."""
    mine = {"pid": os.getpid(), "host": socket.gethostname(), "since": "then", "token": "other"}
    return orjson.dumps({**mine, "process_start": process_start(os.getpid()), **changes})


def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_the_living_hold_it(path: Path) -> None:
    """A process that lives, here or on another host, keeps the second run out; it is told who and since when."""
    for host in (socket.gethostname(), "elsewhere"):
        path.write_bytes(content(host=host))
        with pytest.raises(RunLocked) as caught, lease(path):
            pass
        assert f"pid {os.getpid()} on {host}" in str(caught.value)
        assert "since then" in str(caught.value)
        assert path.read_bytes() == content(host=host)


@pytest.mark.parametrize("case", ["dead", "reused", "silent", "torn"])
def test_the_dead_do_not(path: Path, case: str) -> None:
    """A process that is gone, a number given to another since, a host without heartbeat, a torn file: taken over."""
    if case == "dead":
        path.write_bytes(content(pid=dead_pid()))
    elif case == "reused":
        path.write_bytes(content(process_start="another boot:1"))
    elif case == "silent":
        path.write_bytes(content(host="elsewhere"))
        os.utime(path, (path.stat().st_mtime - STALE - 1,) * 2)
    else:
        path.write_bytes(content()[:10])
    with lease(path):
        assert orjson.loads(path.read_bytes())["pid"] == os.getpid()
    assert not path.exists()


def test_of_many_takers_one_wins(path: Path) -> None:
    """Eight threads find the lease of a dead process: exactly one gets it, and nobody removes what another took."""
    path.write_bytes(content(pid=dead_pid()))
    start, held, refused = threading.Barrier(8), [], []
    release = threading.Event()

    def take() -> None:
        start.wait()
        try:
            with lease(path):
                held.append(1)
                release.wait()
        except RunLocked:
            refused.append(1)
        finally:
            if len(refused) == 7:
                release.set()

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    release.set()
    assert (len(held), len(refused)) == (1, 7)


def test_the_second_run_refuses_or_waits(pit: Any, until: Any) -> None:
    """The command exits 1 and names the first run; with --wait it runs after it, to the same end."""
    signals = pit.root / "signals"
    signals.mkdir()
    pit.documents()
    spec = pit.spec([pit.read(), pit.faulty(signals=str(signals))], limits={"deadline": None})
    first = pit.start(spec)
    until(lambda: list(signals.glob("worker-*")), "the first run at work")
    second = pit.call(spec)
    assert second.returncode == 1
    assert f"pid {first.pid} on {socket.gethostname()}" in second.stderr
    assert "--wait" in second.stderr
    third = pit.start(spec, "--wait", "--json")
    (signals / "go").touch()
    assert first.wait(90) == 0
    out, err = third.communicate(timeout=90)
    assert third.returncode == 0, err
    assert orjson.loads(out)["outputs"] == pit.outputs()["outputs"]
