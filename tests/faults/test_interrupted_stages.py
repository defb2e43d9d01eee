"""A Ctrl-C in every stage of a run, one after the other, and in a terminal: each run goes on where the last stopped."""

from __future__ import annotations

import os
import pty
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from corpusmill.errors import Interrupted
from corpusmill.plan.check import check
from corpusmill.plugin.hookspecs import hookimpl
from corpusmill.runner.driver import RunOptions, run_spec
from corpusmill.runner.interrupts import stop_file

PLUGIN = '''
import json
import time
from corpusmill import Documents, Trainer, hookimpl, option


class Patient(Trainer):
    """Ten steps; the first to come to the fifth waits there until it is asked to stop."""

    inputs = {"documents": Documents()}
    exact = True

    class Options(Trainer.Options):
        waits: bool = option(True, help="whether to wait", affects_result=False)

    def run(self, inputs, work):
        found = work.latest_checkpoint()
        first = int((found / "step").read_text()) if found else 0
        losses = [1 / (step + 1) for step in range(first)]
        for step in range(first, 10):
            work.metrics(step, loss=1 / (step + 1))
            if self.options.waits and step == 5 and not found:
                while not work.should_stop():
                    time.sleep(0.01)
            if work.should_stop():
                work.checkpoint(step, lambda folder: (folder / "step").write_text(str(step)))
                return {"stopped": True}
            losses.append(1 / (step + 1))
        (work.output / "model.safetensors").write_text(json.dumps(losses))
        return {"first": 0}


@hookimpl
def corpusmill_register(registry):
    registry.trainer("patient", ":Patient", "Wait.")
'''


class Interrupting:
    """An observer that sends the driver a signal when a stage starts, or when its training comes to a step."""

    def __init__(self, stage: str, step: int | None = None):
        self.stage, self.step, self.sent = stage, step, False

    @hookimpl
    def corpusmill_stage_started(self, stage: dict[str, Any]) -> None:
        if stage["id"] == self.stage and self.step is None:
            self._send()

    @hookimpl
    def corpusmill_metrics(self, stage: dict[str, Any], step: int, values: dict[str, float]) -> None:
        if stage["id"] == self.stage and step == self.step:
            self._send()

    def _send(self) -> None:
        self.sent = True
        os.kill(os.getpid(), signal.SIGINT)


def steps(pit: Any, out: str, *, waits: bool = True) -> list[dict[str, Any]]:
    (pit.root / "faulty.py").write_text(PLUGIN, encoding="utf-8")
    pit.documents()
    return [
        pit.read(),
        {"id": "judge", "uses": "filter.length", "with": {"min_chars": 3}},
        {"id": "exact", "uses": "dedup.exact"},
        {"id": "words", "uses": "tokenizer.bpe", "needs": "exact", "with": {"size": 300}},
        {
            "id": "tokens",
            "uses": "tokens.pack",
            "needs": {"documents": "exact", "tokenizer": "words"},
            "with": {"window": 16},
        },
        {"id": "model", "uses": "train.patient", "needs": "exact", "with": {"waits": waits}},
        {"id": "export", "uses": "write.jsonl", "needs": "exact", "with": {"path": str(pit.root / out)}},
    ]


def test_interrupted_in_every_stage(pit: Any, processes: Any) -> None:
    """Each run stops in the next stage, keeps what was done, leaves no process; the last makes the calm bytes."""
    chain = steps(pit, "out")
    stages: list[tuple[str, int | None]] = [(name, None) for name in ("judge", "exact", "words", "tokens", "export")]
    stages.insert(4, ("model", 5))
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    mine = processes.children(os.getpid())
    for stage, step in stages:
        observer = Interrupting(stage, step)
        with pytest.raises(Interrupted, match="stopped on request") as caught:
            run_spec(check(pit.spec(chain)), RunOptions(store=str(pit.store), executor="inline"), [observer])
        assert observer.sent
        assert caught.value.hint
        outputs = pit.outputs()
        assert outputs["status"] == "interrupted"
        assert stage not in outputs["outputs"]
        assert processes.children(os.getpid()) == mine
        assert {number: signal.getsignal(number) for number in before} == before
        assert not list(pit.store.glob("tmp/stop*"))
    outputs = run_spec(check(pit.spec(chain)), RunOptions(store=str(pit.store), executor="inline")).outputs
    assert outputs["status"] == "done"
    pit.run(steps(pit, "calm-out", waits=False), store="calm", debug=True)
    assert pit.tree() == pit.tree("calm")


def test_a_pipeline_is_not_stopped_by_another_s_signal(tmp_path: Path) -> None:
    """Two pipelines of one store, one pipeline of two stores: each has a request to stop of its own."""
    scratch = str(tmp_path)
    asked = {stop_file(scratch, store, name) for store in ("one", "two") for name in ("a", "b")}
    assert len(asked) == 4
    assert stop_file(scratch, "one", "a") in asked


def in_terminal(command: list[str], folder: Path, environment: dict[str, str]) -> tuple[int, int]:
    """Start a command as the foreground group of a terminal of its own; return its number and the terminal."""
    pid, terminal = pty.fork()
    if not pid:
        os.chdir(folder)
        os.execvpe(command[0], command, environment)
    return pid, terminal


def read_to_end(terminal: int) -> str:
    """What the terminal shows until its last process is gone."""
    told = b""
    while True:
        try:
            piece = os.read(terminal, 4096)
        except OSError:
            break
        if not piece:
            break
        told += piece
    os.close(terminal)
    return told.decode(errors="replace")


@pytest.mark.parametrize(
    "executor", ["inline", pytest.param("ray", marks=[pytest.mark.soak, pytest.mark.xdist_group("ray")])]
)
def test_ctrl_c_in_a_terminal(pit: Any, until: Any, processes: Any, executor: str) -> None:
    """Through make, as `make demo` does: the key reaches the whole group, workers included; the command it prints,
    options and quotes included, ends the work; no process is left."""
    pit.name = "pit"
    pit.documents(files=8)
    signals = pit.root / "signals"
    signals.mkdir()
    spec = pit.spec([pit.read(), pit.faulty(signals=str(signals))], limits={"deadline": None})
    odd = pit.root / "a spec's.yaml"
    odd.write_bytes(spec.read_bytes())
    run = [sys.executable, "-c", "from corpusmill.cli import main; main()"]
    typed = ["run", str(odd), "--store", str(pit.store), "--executor", executor, "--set", "judge.most=9999"]
    (pit.root / "Makefile").write_text("demo:\n\t" + shlex.join([*run, *typed]).replace("$", "$$") + "\n")
    calm = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    make, terminal = in_terminal(["make", "demo"], pit.root, {**calm, "TERM": "dumb", "COLUMNS": "400"})
    until(lambda: list(signals.glob("worker-*")), "a worker inside the operator")
    family = processes.descendants(make)
    os.write(terminal, b"\x03")
    until(lambda: list(pit.store.glob("tmp/stop-*")), "the request to stop")
    (signals / "go").touch()
    told = read_to_end(terminal)
    os.waitpid(make, 0)
    assert re.search(r"make: \*\*\* .*(Interrupt|Error 130)", told), told
    assert "Traceback" not in told
    assert pit.outputs()["status"] == "interrupted"
    in_flight = 2 if executor == "inline" else 2 * (os.cpu_count() or 1)
    assert 1 <= len(list(pit.store.glob("commits/*/*.json"))) <= min(7, in_flight), "units in flight, of eight"
    assert not list(pit.store.glob("datasets/*"))
    (again,) = set(re.findall(r"next: corpusmill (run .*?)\r?\n", told))
    assert shlex.split(again) == typed
    until(lambda: not [one for one in family if processes.alive(one)], "the end of all processes")
    resumed = subprocess.run([*run, *shlex.split(again)], cwd=pit.root, capture_output=True, text=True, check=False)
    assert resumed.returncode == 0, resumed.stderr
    chain = [pit.read(), pit.faulty(most=9999)]
    pit.run(chain, store="calm", debug=True)
    assert pit.tree() == pit.tree("calm")


def test_keys_pressed_twice_stop_now(pit: Any, until: Any, processes: Any) -> None:
    """In a terminal, too: a worker that would never end is ended, nothing is committed, and it says how to resume."""
    pit.documents()
    signals = pit.root / "signals"
    signals.mkdir()
    spec = pit.spec([pit.read(), pit.faulty(signals=str(signals))], limits={"deadline": None})
    command = [sys.executable, "-c", "from corpusmill.cli import main; main()", "run", str(spec)]
    driver, terminal = in_terminal(
        [*command, "--store", str(pit.store), "--executor", "inline"], pit.root, {**os.environ, "TERM": "dumb"}
    )
    until(lambda: list(signals.glob("worker-*")), "a worker inside the operator")
    family = processes.descendants(driver)
    os.write(terminal, b"\x03")
    until(lambda: list(pit.store.glob("tmp/stop-*")), "the request to stop")
    os.write(terminal, b"\x03")
    told = read_to_end(terminal)
    code = os.waitstatus_to_exitcode(os.waitpid(driver, 0)[1])
    assert code == 130, told
    assert "stopped at once" in told
    assert "next: corpusmill run" in told
    assert not list(pit.store.glob("commits/*"))
    until(lambda: not [one for one in family if processes.alive(one)], "the end of all processes")
