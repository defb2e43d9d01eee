"""A killed driver's local Ray cluster: ended at once by its reaper, or by the next run; nobody else's is touched."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from corpusmill.runner.family import end, process_start
from corpusmill.runner.reaper import end_predecessor

pytestmark = pytest.mark.xdist_group("ray")


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """A process that waits for its stdin to close."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
    yield process
    process.kill()
    process.communicate()


def dead() -> list[Any]:
    """A driver that has ended: its number and a start."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    start = process_start(process.pid)
    process.wait()
    return [process.pid, start]


def record(folder: Path, **changes: Any) -> Path:
    """The record of a dead driver on this host."""
    path = folder / "processes.json"
    path.write_text(json.dumps({"host": socket.gethostname(), "driver": dead(), "processes": {}, **changes}))
    return path


def command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
    except OSError:
        return ""


def working(pit: Any, until: Any, *arguments: str) -> tuple[subprocess.Popen[str], Path]:
    """Start a run on Ray and wait until a worker is inside the operator and waits there."""
    signals = pit.root / "signals"
    signals.mkdir(exist_ok=True)
    spec = pit.spec([pit.read(), pit.faulty("none", signals=str(signals))], limits={"deadline": None})
    process = pit.start(spec, *arguments, executor="ray")
    until(lambda: list(signals.glob("worker-*")) or process.poll() is not None, "a worker inside the operator")
    assert process.poll() is None, process.communicate()
    return process, spec


def test_a_killed_driver_leaves_no_process(pit: Any, until: Any, processes: Any) -> None:
    """Not even Ray's agents, which would outlive it by a minute: when the record is gone, all are."""
    pit.documents()
    process, _ = working(pit, until, "--workers", "1")
    path = pit.store / "runs/pit/processes.json"
    family = processes.descendants(process.pid)
    noted = until(lambda: (found := json.loads(path.read_text())["processes"]) and len(found) > 5 and found, "a record")
    assert {int(pid) for pid in noted} <= set(family)
    processes.kill(process.pid)
    until(lambda: not path.exists(), "the end of the reaper's work")
    assert not [command(pid) for pid in map(int, noted) if processes.alive(pid)]
    process.communicate(timeout=90)
    until(lambda: not [pid for pid in family if processes.alive(pid)], "the end of the reaper itself")


def test_the_next_run_ends_its_dead_predecessor(pit: Any, until: Any, processes: Any) -> None:
    """With the reaper killed first: the run that follows ends what lives on, says so, and makes the bytes of a calm."""
    pit.documents()
    pit.run([pit.read(), pit.faulty()], store="calm", debug=True)
    process, spec = working(pit, until, "--workers", "1")
    path = pit.store / "runs/pit/processes.json"
    until(lambda: len(json.loads(path.read_text())["processes"]) > 5, "a whole record")
    (reaper,) = [pid for pid in processes.children(process.pid) if "corpusmill.runner.reaper" in command(pid)]
    family = processes.descendants(process.pid)
    processes.kill(reaper)
    processes.kill(process.pid)
    process.communicate(timeout=90)
    orphans = [pid for pid in family if processes.alive(pid)]
    assert orphans, "Ray left nobody: the rest of this test would show nothing"
    (pit.root / "signals/go").touch()
    result = pit.call(spec)
    assert result.returncode == 0, result.stderr
    assert "that a killed run had left on this machine were ended" in result.stderr
    assert not [command(pid) for pid in family if processes.alive(pid)]
    assert not path.exists()
    assert pit.tree() == pit.tree("calm")


def test_a_joined_cluster_is_left_alone(pit: Any, until: Any, processes: Any) -> None:
    """A driver that joined by --address is killed: no record, no reaper, and the cluster's processes live."""
    import ray

    from corpusmill.runner import ray_executor

    pit.documents()
    ray_executor.connect(None, 1)
    try:
        port = ray.get_runtime_context().gcs_address.rpartition(":")[2]
        cluster = processes.descendants(os.getpid())
        process, spec = working(pit, until, "--address", f"127.0.0.1:{port}")
        assert not [one for one in processes.descendants(process.pid) if "reaper" in command(one)]
        processes.kill(process.pid)
        process.communicate(timeout=90)
        (pit.root / "signals/go").touch()
        result = pit.call(spec)
        assert result.returncode == 0, result.stderr
        assert "had left" not in result.stderr
        assert not list(pit.store.glob("runs/pit/processes.json"))
        heads = [pid for pid in cluster if "gcs_server" in command(pid) or "raylet/raylet" in command(pid)]
        assert len(heads) == 2
        assert all(processes.alive(pid) for pid in heads)
    finally:
        ray.shutdown()


DRIVER = """
import os, subprocess, sys
from pathlib import Path
from corpusmill.runner.reaper import Reaper

wait, mark = "import signal; signal.pause()", "the-" + "mark"  # in no command line but the marked child's
reaper = Reaper(Path(sys.argv[1]), mark)
marked = subprocess.Popen([sys.executable, "-c", wait, mark])
stranger = subprocess.Popen([sys.executable, "-c", wait])
holder = os.fork()
if not holder:
    import signal
    signal.pause()
print(marked.pid, stranger.pid, holder, flush=True)
if sys.stdin.readline() == "done":
    reaper.dismiss()
"""
"""A driver with a child of its cluster, one of its own, and one that was forked and holds the pipe to the reaper."""


@pytest.mark.parametrize("ending", ["killed", "done"])
def test_only_the_cluster_of_a_dead_driver_is_ended(tmp_path: Path, until: Any, processes: Any, ending: str) -> None:
    """Marked children go with a killed driver, its others stay, even one that holds the pipe; `done` ends nobody."""
    path = tmp_path / "processes.json"
    command_line = [sys.executable, "-c", DRIVER, str(path)]
    driver = subprocess.Popen(command_line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert driver.stdout is not None
    marked, stranger, holder = map(int, driver.stdout.readline().split())
    until(lambda: path.exists() and str(marked) in json.loads(path.read_text())["processes"], "the record")
    try:
        if ending == "killed":
            driver.kill()
        else:
            assert driver.stdin is not None
            driver.stdin.write("done")
            driver.stdin.close()
        until(lambda: not path.exists(), "the end of the reaper's work")
        assert processes.alive(marked) == (ending == "done")
        assert processes.alive(stranger)
        assert processes.alive(holder)
    finally:
        for pid in (marked, stranger, holder):
            processes.kill(pid)
        driver.wait(60)


def test_a_number_that_went_to_another_process_is_left_alone(tmp_path: Path, bystander: Any, processes: Any) -> None:
    """The same number with another start is a stranger; with the right one it is the dead driver's."""
    path = record(tmp_path, processes={bystander.pid: "another boot:1"})
    assert end_predecessor(path) == 0
    assert processes.alive(bystander.pid)
    assert not path.exists()
    path = record(tmp_path, processes={bystander.pid: process_start(bystander.pid)})
    assert end_predecessor(path) == 1
    assert not processes.alive(bystander.pid)


@pytest.mark.parametrize("case", ["another host", "a living driver", "another user", "torn"])
def test_what_may_be_others_is_left_alone(
    tmp_path: Path, bystander: Any, processes: Any, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    """A record of another host, a driver that lives, another user, or half a record: nobody is ended."""
    found = {bystander.pid: process_start(bystander.pid)}
    changes: dict[str, Any] = {"processes": found}
    if case == "another host":
        changes["host"] = "elsewhere"
    if case == "a living driver":
        changes["driver"] = [os.getpid(), process_start(os.getpid())]
    path = record(tmp_path, **changes)
    if case == "another user":
        monkeypatch.setattr(os, "getuid", lambda: path.stat().st_uid + 1)
    if case == "torn":
        path.write_bytes(path.read_bytes()[:-9])
    assert end_predecessor(path) == 0
    assert processes.alive(bystander.pid)
    assert path.exists() == (case != "torn")
    assert end_predecessor(tmp_path / "nothing") == 0


def test_descendants_go_with_their_ancestors(bystander: Any, until: Any, processes: Any) -> None:
    """What a recorded process started after the record was written is ended with it."""
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])"
    parent = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE)
    (child,) = until(lambda: processes.children(parent.pid), "the child")
    assert end({parent.pid: str(process_start(parent.pid))}) == 2
    parent.communicate()
    assert not processes.alive(child)
    assert processes.alive(bystander.pid)
