"""One run of a pipeline at a time in a store: the second refuses, waits, or takes over from the dead."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from corpusmill.dataset.store import Store
from corpusmill.errors import RunLocked, StoreError
from corpusmill.runner import lease as lease_room
from corpusmill.runner.family import process_space, process_start
from corpusmill.runner.lease import STALE, Lease

DAY = 86400.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the lease of the pipeline `mill` lies."""
    path = tmp_path / "runs/mill/lease.json"
    path.parent.mkdir(parents=True)
    return path


@pytest.fixture(autouse=True)
def short_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    """A silent lease is watched for a moment, not for half a minute."""
    monkeypatch.setattr(lease_room, "WATCH", 0.1)
    monkeypatch.setattr(lease_room, "_LOOK", 0.01)


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


@contextmanager
def heartbeat(path: Path, monkeypatch: pytest.MonkeyPatch, ahead: float) -> Iterator[None]:
    """Touch a lease again and again, by a clock that is `ahead` of ours, as long as the block runs."""
    monkeypatch.setattr(lease_room, "WATCH", 60.0)  # it ends with the first beat
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(0.01):
            os.utime(path, (time.time() + ahead,) * 2)

    beat_thread = threading.Thread(target=beat)
    os.utime(path, (time.time() + ahead,) * 2)
    beat_thread.start()
    try:
        yield
    finally:
        ended.set()
        beat_thread.join()


def test_the_living_hold_it(path: Path) -> None:
    """A process that lives, here or on another host, keeps the second run out; it is told who and since when."""
    for host in (socket.gethostname(), "elsewhere"):
        path.write_bytes(content(host=host))
        with pytest.raises(RunLocked) as caught, lease(path):
            pass
        assert f"pid {os.getpid()} on {host}" in str(caught.value)
        assert "since then" in str(caught.value)
        assert path.read_bytes() == content(host=host)


@pytest.mark.parametrize("case", ["dead", "unburied", "reused", "silent", "torn"])
def test_the_dead_do_not(path: Path, case: str) -> None:
    """Gone; dead and not waited for; a number given to another since; a host without heartbeat; a torn file."""
    zombie = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    start = process_start(zombie.pid)
    if case == "dead":
        path.write_bytes(content(pid=dead_pid()))
    elif case == "unburied":
        path.write_bytes(content(pid=zombie.pid, process_start=start))
        with pytest.raises(RunLocked), lease(path):
            pass
        zombie.kill()
        os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
        assert process_start(zombie.pid) == start, "it was buried: this shows nothing"
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
    zombie.kill()
    zombie.communicate()


@pytest.mark.parametrize("ahead", [0.0, DAY, -DAY, -STALE - 1])
def test_clocks_may_differ(path: Path, monkeypatch: pytest.MonkeyPatch, ahead: float) -> None:
    """Another host's clock is a day ahead or behind, or was set: a heartbeat holds the lease, silence does not."""
    path.write_bytes(content(host="elsewhere"))
    with heartbeat(path, monkeypatch, ahead), pytest.raises(RunLocked), lease(path):
        pass
    monkeypatch.setattr(lease_room, "WATCH", 0.1)
    if ahead:
        with lease(path):
            assert orjson.loads(path.read_bytes())["host"] == socket.gethostname()
        assert not path.exists()


def test_a_host_of_the_same_name_is_another(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container with our name, where our process numbers mean nothing: its heartbeat decides, not our processes."""
    assert process_space() is not None
    for pid in (os.getpid(), dead_pid()):
        path.write_bytes(content(pid=pid, processes="another container"))
        with heartbeat(path, monkeypatch, 0.0), pytest.raises(RunLocked), lease(path):
            pass
        monkeypatch.setattr(lease_room, "WATCH", 0.1)
        with lease(path):
            assert orjson.loads(path.read_bytes())["processes"] == process_space()


def test_a_beat_touches_nobody_else_s(path: Path) -> None:
    """Taken over: left as it is. Gone: taken again, for whoever took over is done. Over: not taken again."""
    mine = lease(path)
    with mine:
        path.write_bytes(content(token="theirs"))
        os.utime(path, (1e9, 1e9))
        mine._keep()
        assert path.stat().st_mtime == 1e9
        path.unlink()
        mine._keep()
        assert orjson.loads(path.read_bytes())["token"] == mine._mine
        os.utime(path, (1e9, 1e9))
        mine._keep()
        assert path.stat().st_mtime > 1e9
        path.write_bytes(content(token="theirs"))
    assert orjson.loads(path.read_bytes())["token"] == "theirs"
    path.unlink()
    mine._keep()
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


RACER = """
import sys
from pathlib import Path
from corpusmill.dataset.store import Store
from corpusmill.errors import RunLocked, StoreError
from corpusmill.runner.lease import Lease

folder, number, rounds = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])

def marks(what, turn):
    return len(list(folder.glob(f"{what}-{turn}-*")))

for turn in range(rounds):
    (folder / f"ready-{turn}-{number}").touch()
    while marks("ready", turn) < 2:
        pass
    try:
        with Lease(Store(str(folder)), f"mill-{turn}"):
            (folder / f"held-{turn}-{number}").touch()
            while marks("held", turn) + marks("refused", turn) < 2:
                pass
    except RunLocked:
        (folder / f"refused-{turn}-{number}").touch()
"""
"""Takes the lease of a pipeline a round, at the same moment as the other racer; holds it until that one has ended."""


@pytest.mark.parametrize("rounds", [20, pytest.param(1000, marks=pytest.mark.soak)])
def test_two_processes_that_start_at_once(tmp_path: Path, rounds: int) -> None:
    """Every time exactly one holds the lease, also where that of a dead run lies there, and it leaves none."""
    dead = content(pid=dead_pid())
    for turn in range(0, rounds, 2):
        folder = tmp_path / f"runs/mill-{turn}"
        folder.mkdir(parents=True)
        (folder / "lease.json").write_bytes(dead)
    command = [sys.executable, "-c", RACER, str(tmp_path)]
    racers = [subprocess.Popen([*command, str(number), str(rounds)]) for number in range(2)]
    assert [racer.wait(30 + rounds) for racer in racers] == [0, 0]
    assert len(list(tmp_path.glob("held-*"))) == len(list(tmp_path.glob("refused-*"))) == rounds
    assert {path.name.split("-")[1] for path in tmp_path.glob("held-*")} == {str(turn) for turn in range(rounds)}
    assert not list(tmp_path.glob("runs/*/lease.json"))


@pytest.mark.soak
def test_two_runs_that_start_at_once(pit: Any) -> None:
    """Ten times: one refuses the other or follows it; at least one is done, and the bytes are those of a calm run."""
    pit.documents()
    steps = [pit.read(), pit.faulty(), {"id": "exact", "uses": "dedup.exact"}]
    pit.run(steps, store="calm", debug=True)
    spec = pit.spec(steps)
    for turn in range(10):
        runs = [pit.start(spec, store=f"store-{turn}") for _ in range(2)]
        told = [run.communicate(timeout=90)[1] for run in runs]
        codes = sorted(run.returncode for run in runs)
        assert codes in ([0, 0], [0, 1]), told
        assert codes == [0, 0] or any("another run of this pipeline is going on" in text for text in told)
        assert pit.tree(f"store-{turn}") == pit.tree("calm")


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


def test_a_run_whose_store_is_removed_ends_with_its_own_error(path: Path) -> None:
    """Giving back a lease that is no longer there must not take the place of why the run ended."""

    def run() -> None:
        with lease(path):
            shutil.rmtree(path.parent.parent)
            raise StoreError("it is gone")

    with pytest.raises(StoreError, match="it is gone"):
        run()
