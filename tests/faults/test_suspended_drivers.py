"""A driver that was suspended until another took its lease over, and wakes up: both end well, with the same bytes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from corpusmill.dataset.hashing import hash_file

DRIVER = """
import socket, sys
socket.gethostname = lambda host=sys.argv.pop(1): host
from corpusmill.runner import lease
lease.HEARTBEAT, lease.STALE, lease.WATCH, lease._LOOK = 0.1, 0.5, 1.0, 0.05
from corpusmill.cli import main
main()
"""
"""The command as if on a host of the first argument's name, with a lease that is short of breath."""


def steps(pit: Any, signals: Path) -> list[dict[str, Any]]:
    """Through every kind of stage that leaves something: a pass, a deduplicator, a tokenizer, tokens, an export."""
    return [
        pit.read(),
        pit.faulty(signals=str(signals)),
        {"id": "exact", "uses": "dedup.exact"},
        {"id": "vocabulary", "uses": "tokenizer.bpe", "needs": "exact", "with": {"size": 300}},
        {
            "id": "tokens",
            "uses": "tokens.pack",
            "needs": {"documents": "exact", "tokenizer": "vocabulary"},
            "with": {"window": 16},
        },
        {"id": "export", "uses": "write.jsonl", "needs": "exact", "with": {"path": str(pit.root / "out")}},
    ]


def exported(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): hash_file(path)[0] for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("wakes", ["afterwards", pytest.param("meanwhile", marks=pytest.mark.soak)])
def test_a_driver_that_wakes_up_after_it_was_taken_over(pit: Any, until: Any, wakes: str) -> None:
    """Stopped with its worker inside an operator; another host takes over; it goes on beside it, or behind it."""
    pit.documents()
    signals = pit.root / "signals"
    signals.mkdir()
    chain = steps(pit, signals)
    spec = pit.spec(chain, limits={"deadline": None})

    def start(host: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", DRIVER, host, "run", str(spec), "--store", str(pit.store), "--wait", "--quiet"]
        pipe = subprocess.PIPE
        return subprocess.Popen(
            [*command, "--executor", "inline"],
            stdout=pipe,
            stderr=pipe,
            text=True,
            cwd=pit.root,
            start_new_session=True,
        )

    first = start("one")
    until(lambda: len(list(signals.glob("worker-*"))) == 1, "the first worker inside the operator")
    os.killpg(first.pid, signal.SIGSTOP)
    second = start("two")
    until(lambda: len(list(signals.glob("worker-*"))) == 2, "the second, which took over, inside the operator")
    assert b'"host":"two"' in (pit.store / "runs/pit/lease.json").read_bytes()
    (signals / "go").touch()
    if wakes == "meanwhile":
        os.killpg(first.pid, signal.SIGCONT)
    told = second.communicate(timeout=90)[1]
    assert second.returncode == 0, told
    after_second = (pit.tree(), exported(pit.root / "out"))
    if wakes == "afterwards":
        os.killpg(first.pid, signal.SIGCONT)
    told = first.communicate(timeout=90)[1]
    assert first.returncode == 0, told
    assert (pit.tree(), exported(pit.root / "out")) == after_second
    assert not (pit.store / "runs/pit/lease.json").exists()
    assert not list(pit.store.glob("tmp/work/*")), "what both worked in is cleared away"
    elsewhere = {**chain.pop(), "with": {"path": str(pit.root / "calm-out")}}
    pit.run([*chain, elsewhere], store="calm", debug=True)
    assert (pit.tree("calm"), exported(pit.root / "calm-out")) == after_second
