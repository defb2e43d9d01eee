"""The same faults on Ray: one cluster for the module, and two runs of the command that start their own."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from corpusmill.errors import ExecutorError, OperatorError
from corpusmill.runner.unit import Failed, Unit

pytestmark = pytest.mark.xdist_group("ray")
POISON = [(0, 3), (2, 17)]


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """A local cluster of two workers that runs find and leave running."""
    import ray

    from corpusmill.runner import ray_executor

    ray_executor.connect(None, 2)
    yield
    ray.shutdown()


def model_steps(pit: Any, **options: Any) -> list[dict[str, Any]]:
    """A pass with a step whose model lives in actors."""
    judge = {"id": "judge", "uses": "annotate.score", "needs": {"documents": "read", "model": "model"}}
    return [pit.read(), {"id": "model", "uses": "load.tiny"}, {**judge, "with": options}]


@pytest.mark.parametrize("action", ["segfault", "hang-in-c"])
def test_a_poison_document_is_excluded(pit: Any, cluster: None, action: str) -> None:
    """The dataset and the exclusions are those of the inline executor."""
    pit.documents(poison=POISON, word="POISON")
    limits = {"deadline": 1}
    inline = pit.run([pit.read(), pit.faulty(action)], store="inline", limits=limits).outputs
    outputs = pit.run([pit.read(), pit.faulty(action)], executor="ray", limits=limits).outputs
    assert outputs["executor"] == "ray"
    assert len(pit.quarantine(outputs)) == 2
    assert pit.tree() == pit.tree("inline")
    assert outputs["counts"]["judge"]["quarantined"] == inline["counts"]["judge"]["quarantined"]


def test_killed_workers_cost_nothing(pit: Any, cluster: None, until: Any, processes: Any) -> None:
    """Three workers killed inside the operator: no exclusion, the bytes of a calm run."""
    pit.documents()
    pit.run([pit.read(), pit.faulty()], store="calm", debug=True)
    signals = pit.root / "signals"
    signals.mkdir()

    def killer(ended: threading.Event) -> None:
        known: set[str] = set()
        for _ in range(3):
            marks = until(
                lambda seen=known: {one.name for one in signals.glob("worker-*")} - seen, "a worker inside the operator"
            )
            known, new = known | marks, marks
            processes.kill(int(min(new).removeprefix("worker-")))
        (signals / "go").touch()

    with processes.in_background(killer):
        steps = [pit.read(), pit.faulty(signals=str(signals))]
        outputs = pit.run(steps, executor="ray", limits={"deadline": None}).outputs
    assert outputs["quarantine"] == 0
    assert pit.tree() == pit.tree("calm")


def test_a_killed_actor_costs_nothing(pit: Any, cluster: None, until: Any, processes: Any) -> None:
    """A model's actor killed in the middle of a batch: the batch is sent again, no document is excluded."""
    pit.documents()
    pit.run(model_steps(pit), store="calm", debug=True)
    signals = pit.root / "signals"
    signals.mkdir()

    def killer(ended: threading.Event) -> None:
        (mark,) = until(lambda: list(signals.glob("worker-*")), "an actor at work")
        processes.kill(int(mark.name.removeprefix("worker-")))
        until(lambda: len(list(signals.glob("worker-*"))) > 1, "the actor that takes its place")
        (signals / "go").touch()

    with processes.in_background(killer):
        steps = model_steps(pit, signals=str(signals))
        outputs = pit.run(steps, executor="ray", limits={"deadline": None}).outputs
    assert outputs["quarantine"] == 0
    assert pit.tree() == pit.tree("calm")


def test_a_document_that_kills_actors_is_excluded(pit: Any, cluster: None) -> None:
    """Poison for a model is found in a process of its own and excluded; the store is that of the inline executor."""
    pit.documents(files=1, poison=[(0, 3)], word="POISON")
    pit.run(model_steps(pit, action="segfault"), store="inline")
    outputs = pit.run(model_steps(pit, action="segfault"), executor="ray").outputs
    (bad,) = pit.quarantine(outputs)
    assert bad["reason"] == "crashed (signal 11)"
    assert pit.tree() == pit.tree("inline")


def test_a_model_is_loaded_by_its_actors_alone(pit: Any, cluster: None) -> None:
    """Two actors hold it, and none of the workers that send them documents: those may have neither memory nor GPU."""
    pit.documents(files=6)
    loads = pit.root / "loads"
    loads.mkdir()
    steps = model_steps(pit, loads=str(loads))
    steps[-1]["resources"] = {"actors": 2}
    pit.run(steps, executor="ray")
    assert len(list(loads.iterdir())) == 2


@pytest.mark.parametrize("executor", ["inline", "ray"])
def test_a_model_that_cannot_be_loaded_is_told(pit: Any, cluster: None, executor: str) -> None:
    """Step, plugin, cause and line, without a traceback and without Ray's words on actors; no document is blamed."""
    pit.documents()
    with pytest.raises(OperatorError) as caught:
        pit.run(model_steps(pit, file="weights.bin"), executor=executor)
    assert caught.value.what.startswith("annotate.score raised FileNotFoundError while it was set up: ")
    assert re.match(r"step judge, faulty\.py:\d+ in setup, shard", str(caught.value.where))


def test_a_start_that_fails_once_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first `ray.init` on a crowded machine times out at times; the second counts, a third there is not."""
    import ray

    from corpusmill.runner import ray_executor

    calls = []

    def init(**options: Any) -> None:
        calls.append(options)
        if len(calls) in failing:
            raise RuntimeError("the raylet did not start in time")

    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    failing = {1}
    assert ray_executor.connect(None, 1)
    assert len(calls) == 2
    calls.clear()
    failing = {1, 2}
    with pytest.raises(ExecutorError, match="did not start: RuntimeError: the raylet") as caught:
        ray_executor.connect(None, 1)
    assert "--executor inline" in str(caught.value)


def test_a_dead_address_fails_at_once(pit: Any) -> None:
    """Nobody listens there: exit 1 with the address and what to do, without Ray's minutes of patience."""
    pit.documents(files=1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    result = pit.call(pit.spec([pit.read(), pit.faulty()]), "--address", f"127.0.0.1:{port}", executor="ray")
    assert result.returncode == 1
    assert f"no Ray cluster answers at '127.0.0.1:{port}'" in result.stderr
    assert "leave --address out" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("whom", ["workers", pytest.param("everyone", marks=pytest.mark.soak)])
def test_a_killed_driver_leaves_nobody(pit: Any, until: Any, processes: Any, whom: str) -> None:
    """A driver killed in the middle takes its workers along, its cluster within a minute or so; the store goes on."""
    pit.documents()
    pit.run([pit.read(), pit.faulty()], store="calm", debug=True)
    signals = pit.root / "signals"
    signals.mkdir()
    spec = pit.spec([pit.read(), pit.faulty("none", signals=str(signals))], limits={"deadline": None})
    process = pit.start(spec, "--workers", "2", executor="ray")
    until(lambda: list(signals.glob("worker-*")) or process.poll() is not None, "a worker inside the operator")
    assert process.poll() is None, process.communicate()
    family = {int(one.name.removeprefix("worker-")) for one in signals.glob("worker-*")}
    if whom == "everyone":
        family |= set(processes.descendants(process.pid))
    processes.kill(process.pid)
    until(lambda: not [pid for pid in family if processes.alive(pid)], "the end of the dead driver's family")
    process.communicate(timeout=90)
    (signals / "go").touch()
    assert pit.call(spec).returncode == 0
    assert pit.tree() == pit.tree("calm")


@pytest.mark.soak
def test_a_cluster_without_a_head_is_told_and_left(pit: Any, until: Any, processes: Any) -> None:
    """The head process of a run's own cluster is killed: an error in four parts, nobody left, the store goes on."""
    pit.documents()
    pit.run([pit.read(), pit.faulty()], store="calm", debug=True)
    signals = pit.root / "signals"
    signals.mkdir()
    spec = pit.spec([pit.read(), pit.faulty(signals=str(signals))], limits={"deadline": None})
    process = pit.start(spec, "--workers", "1", executor="ray")
    until(lambda: list(signals.glob("worker-*")) or process.poll() is not None, "a worker inside the operator")
    family = processes.descendants(process.pid)
    (head,) = [pid for pid in family if Path(f"/proc/{pid}/comm").read_text().strip() == "gcs_server"]
    processes.kill(head)
    _, told = process.communicate(timeout=90)
    assert process.returncode == 1
    assert "the Ray cluster that this run started is dead" in told
    assert "run the same command again: finished work is kept" in told
    until(lambda: not [pid for pid in family if processes.alive(pid)], "the end of the dead cluster's family")
    (signals / "go").touch()
    assert pit.call(spec).returncode == 0
    assert pit.tree() == pit.tree("calm")


def test_a_dead_head_ends_the_units_in_flight(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each fails with the same error, and the run ends; Ray would go on for a minute, then end the process itself."""
    import ray

    from corpusmill.runner.ray_executor import RayExecutor

    ended = subprocess.Popen(["true"])
    ended.wait()
    head = SimpleNamespace(all_processes={"gcs_server": [SimpleNamespace(process=ended)]})
    executor = RayExecutor.__new__(RayExecutor)
    executor._own, executor._running = True, {number: Unit(str(number), "pass", {}) for number in range(2)}
    monkeypatch.setattr(ray._private.worker, "_global_node", head)
    for _ in range(2):
        found = executor.next(0)
        assert found is not None
        assert isinstance(found[1], Failed)
        assert "its head process (gcs_server) ended" in str(found[1].error)
    assert executor.next(0) is None


def test_death_notices_stay_out_of_the_answer(pit: Any) -> None:
    """With a segfault on the way, and the raylet's words about it, stdout of `run --json` is one JSON document."""
    pit.documents(files=1, poison=[(0, 3)], word="POISON")
    pit.run([pit.read(), pit.faulty("raise")], store="raised", debug=True)
    result = pit.call(pit.spec([pit.read(), pit.faulty("segfault")]), "--workers", "1", "--json", executor="ray")
    assert result.returncode == 0, result.stderr
    outputs = json.loads(result.stdout)
    assert outputs["counts"]["judge"]["quarantined"] == {"crashed (signal 11)": 1}
    assert outputs["outputs"]["judge"]["digest"] == pit.outputs("raised")["outputs"]["judge"]["digest"]
