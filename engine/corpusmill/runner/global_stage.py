"""The driver's side of global work: one unit, its metrics passed on while it runs, its artifact bound at the end."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import orjson

from corpusmill.dataset.artifact import open_artifact
from corpusmill.dataset.store import make_key
from corpusmill.errors import Interrupted, NotDeterministicError, StoreError
from corpusmill.plan.checked import CheckedStep
from corpusmill.plan.fingerprint import build_operator, recipe
from corpusmill.plan.stages import Stage
from corpusmill.runner.folder_work import EVENTS
from corpusmill.runner.references import resolve_reference
from corpusmill.runner.session import Session, StageProgress
from corpusmill.runner.unit import Unit


def run_global_stage(session: Session, stage: Stage) -> None:
    """Run one global step, or take its artifact from the store."""
    step = stage.steps[0]
    operator = build_operator(step, session.seed, session.base)
    inputs = bind_inputs(session, step)
    key = global_key(session, step, operator, inputs)
    record = _usable(session, key)
    cached = int(record is not None)
    progress = session.start_stage(stage, 1, cached)
    if record is None:
        record = _run(session, stage, progress, key, inputs)
    output = open_artifact(session.store, record["artifact"])
    progress.made += sum(size for _, _, size in output.files) if progress.done > cached else 0
    session.results[step.id, None] = output
    for name in operator.outputs:
        # A model's folder holds its tokenizer's files: one artifact serves both outputs.
        session.results[step.id, name] = output
    session.finish_stage(progress, output, None, {})


def bind_inputs(session: Session, step: CheckedStep) -> dict[str, Any]:
    """Return, JSON-able, what each port is bound to, by digest."""
    bound = {}
    for name, port in step.operator.ports().items():
        refs = [
            {
                "digest": resolve_reference(ref, session.results, session.store).digest,
                "split": ref.split,
                "role": ref.role,
            }
            for ref in step.inputs.get(name, ())
        ]
        bound[name] = {"artifact": port.artifact, "many": port.many, "refs": refs}
    return bound


def global_key(session: Session, step: CheckedStep, operator: Any, inputs: dict[str, Any]) -> str:
    """Return the key of global work: its ingredients and the digests of its inputs."""
    return make_key("global", session.fingerprint(step, operator), inputs)


def _usable(session: Session, key: str) -> dict[str, Any] | None:
    record = session.store.committed(key)
    if record is None:
        return None
    try:
        artifact = open_artifact(session.store, record["artifact"])
    except StoreError:
        session.store.forget(key)
        return None
    if all(session.store.storage.exists(f"{artifact.folder}/{name}") for name, _, _ in artifact.files):
        return record
    session.store.forget(key)
    return None


def _run(session: Session, stage: Stage, progress: StageProgress, key: str, inputs: dict[str, Any]) -> dict[str, Any]:
    step = stage.steps[0]
    placement = session.placement(step)
    payload = {
        "operator": recipe(step, session.seed, session.base, device=placement.device),
        "inputs": inputs,
        # Threads change floating-point sums: a constant of the machine, not of who else is running.
        "threads": int(step.resources.get("cpus") or os.cpu_count() or 1),
    }
    records: list[dict[str, Any]] = []
    events = _Events(session, stage, progress, session.scratch / "work" / key / EVENTS)
    # One piece of global work at a time: it may have all the cores its threads want without asking Ray for them.
    unit = Unit(key, "global", payload, {**placement.resources, "cpus": 1})
    try:
        session.run(stage, progress, [unit], lambda _, done: records.append(done.record), events.read)
    except (Interrupted, NotDeterministicError):
        raise
    except Exception:
        # A run that took over while this one was suspended may have finished the work, and cleared it away.
        finished = _usable(session, key)
        if finished is None:
            raise
        records.append(finished)
    events.read()
    events.remove()
    if records[0].get("stopped"):
        raise Interrupted(f"{step.id} stopped on request after saving its state", hint=session.control.resume)
    return records[0]


class _Events:
    """Reads what a worker tells about its work and passes it to observers."""

    def __init__(self, session: Session, stage: Stage, progress: StageProgress, path: Path):
        self._session, self._progress, self._path = session, progress, path
        self._stage = {"id": stage.id, "steps": [step.id for step in stage.steps], "kind": stage.steps[0].kind}
        self._offset = path.stat().st_size if path.is_file() else 0

    def remove(self) -> None:
        """Remove the events, with the folder where nothing else is left in it: a stopped work keeps its state there."""
        self._path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self._path.parent.rmdir()

    def read(self) -> None:
        """Pass on all complete lines that came since the last call."""
        try:
            with self._path.open("rb") as stream:
                stream.seek(self._offset)
                data = stream.read()
        except FileNotFoundError:
            return
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        for line in whole.splitlines():
            try:
                event = orjson.loads(line)
            except orjson.JSONDecodeError:  # a worker died, or the disk was full, in the middle of a line
                continue
            if "values" in event:
                self._session.observers.metrics(self._stage, event["step"], event["values"])
            else:
                self._session.observers.shards_committed(
                    {"id": self._progress.id, "done": event["done"], "total": event["total"]}
                )
