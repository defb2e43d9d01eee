"""Operators that leave memory, files or threads behind: the worker gives way to a fresh one, and no byte changes."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from corpusmill.runner import fatigue
from corpusmill.runner.fatigue import machine_memory, memory_limit, private_memory, weariness
from corpusmill.spec.units import format_size

GENEROUS = {"worker_memory": 1 << 40}


def events(pit: Any, name: str, store: str = "store") -> list[dict[str, Any]]:
    """Return what the journals of a store's runs say about an event."""
    lines = [line for path in (pit.root / store).glob("runs/*/*/journal.jsonl") for line in path.open()]
    return [json.loads(line)["data"] for line in lines if json.loads(line)["event"] == name]


@pytest.mark.parametrize("limit", ["1 B", "1 TB"])
def test_a_worker_past_its_memory_is_replaced_between_units(pit: Any, limit: str) -> None:
    """Past the limit each shard gets a worker of its own, far below it one does all: the same store either way."""
    pit.documents()
    pit.run([pit.read(), pit.faulty()], store="calm", debug=True)
    signals = pit.root / "signals"
    signals.mkdir()
    (signals / "go").touch()
    steps = [pit.read(), pit.faulty(signals=str(signals))]
    result = pit.run(steps, run={"worker_memory": limit})
    assert len(list(signals.glob("worker-*"))) == (3 if limit == "1 B" else 1)
    assert bool(events(pit, "worker_replaced")) == (limit == "1 B")
    assert events(pit, "worker_died") == []
    assert any("workers replaced: " in one for one in result.notices) == (limit == "1 B")
    assert pit.tree() == pit.tree("calm")


def test_a_leak_does_not_grow_with_the_corpus(pit: Any, processes: Any) -> None:
    """Forty megabytes stay behind after each of sixteen shards: no process ever holds what all of them are together."""
    pit.documents(files=16)
    spec = pit.spec([pit.read(), pit.faulty(leak=40 << 20)], run={"worker_memory": "300 MB"})
    process, peak = pit.start(spec), 0
    while process.poll() is None:
        peak = max([peak, *(own_memory(pid) for pid in processes.children(process.pid))])
    assert process.returncode == 0, process.communicate()
    told = events(pit, "worker_replaced")
    assert 1 <= len(told) < 16
    assert all("past its limit of 300.0 MB" in one["why"] for one in told)
    assert peak < 500 << 20


def own_memory(pid: int) -> int:
    """Return the bytes that a process holds for itself; 0 for one that is gone."""
    try:
        resident, shared = (int(one) for one in Path(f"/proc/{pid}/statm").read_text().split()[1:3])
    except (OSError, ValueError):
        return 0
    return (resident - shared) * os.sysconf("SC_PAGE_SIZE")


def files(stack: list[Callable[[], None]]) -> None:
    held = [os.open(os.devnull, os.O_RDONLY) for _ in range(40)]
    stack.append(lambda: [os.close(one) for one in held] and None)


def threads(stack: list[Callable[[], None]]) -> None:
    end = threading.Event()
    started = [threading.Thread(target=end.wait) for _ in range(40)]
    for one in started:
        one.start()
    numbers = {str(one.native_id) for one in started}

    def finish() -> None:
        end.set()
        for one in started:
            one.join()
        # Python has let go of a thread that is joined; the kernel may still be at it.
        while numbers & {task.name for task in Path("/proc/self/task").iterdir()}:
            os.sched_yield()

    stack.append(finish)


@pytest.mark.parametrize(("leave", "words"), [(files, "files open"), (threads, "threads, more than")])
def test_files_and_threads_count_too(leave: Callable[..., None], words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left open or running is a reason, what is cleaned up is none."""
    few = [len(list(Path("/proc/self", what).iterdir())) + 20 for what in ("fd", "task")]
    monkeypatch.setattr(fatigue.resource, "getrlimit", lambda which: (2 * few[0], 2 * few[0]))
    monkeypatch.setattr(fatigue, "MOST_THREADS", few[1])
    assert weariness(GENEROUS) == ""
    clean: list[Callable[[], None]] = []
    leave(clean)
    try:
        assert words in weariness(GENEROUS)
    finally:
        clean[0]()
    assert weariness(GENEROUS) == ""


def test_memory_is_what_a_process_holds_for_itself() -> None:
    """Sixty-four megabytes taken show; given back, they are no reason any more."""
    before = private_memory()
    held = b"x" * (64 << 20)
    assert private_memory() - before > 60 << 20
    assert f"past its limit of {format_size(before)}" in weariness({"worker_memory": before})
    del held


def test_the_limit_is_a_fair_share_unless_the_spec_says() -> None:
    """Half the machine's memory divided among its workers, at least a gigabyte."""
    assert memory_limit({"worker_memory": 5}) == 5
    assert memory_limit({}) == max(1 << 30, machine_memory() // 2)
    assert memory_limit({"workers": 1000}) == 1 << 30
