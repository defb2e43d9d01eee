"""Run records: the runs of a store, found by name and time, and what each of them says about itself."""

from __future__ import annotations

import json
import os
import shlex
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from corpusmill.errors import StoreError, UsageError, nearest
from corpusmill.runner.family import process_start
from corpusmill.runner.journal import FILE_NAME, Event, read_journal

DEFAULT_STORE = "store"
"""The store a spec without `store:` uses; commands leave `--store` out for it."""
RUNS = "runs"
_BY_STEP = ("outputs", "counts", "signals")


@dataclass(frozen=True)
class RunRecord:
    """One run: its folder, and everything in it read on demand."""

    name: str
    timestamp: str
    folder: Path

    @cached_property
    def outputs(self) -> Mapping[str, Any]:
        """What `outputs.json` says, steps in the plan's order; empty while the run goes on or when it was killed."""
        read = _read_json(self.folder / "outputs.json")
        return {name: self._in_order(value) if name in _BY_STEP else value for name, value in read.items()}

    @cached_property
    def plan(self) -> Mapping[str, Any]:
        """What `plan.json` says: stages with id, kind and steps; empty if the run died before it was written."""
        return _read_json(self.folder / "plan.json")

    @cached_property
    def events(self) -> Sequence[Event]:
        """The journal so far."""
        return read_journal(self.folder / FILE_NAME)

    @property
    def store(self) -> str:
        """The store's URI: the folder that holds `runs/`, unless the run worked on an object store and said so."""
        started = next((one.data for one in self.events if one.event == "run_started"), {})
        recorded = str(started.get("store", ""))
        for name in self.plan.get("environment") or ():
            recorded = recorded.replace(f"${{env:{name}}}", os.environ.get(name, ""))
        return recorded if "://" in recorded else str(self.folder.parent.parent.parent)

    @property
    def place(self) -> str:
        """What a command typed here needs to find this run's store: nothing, or ` --store URI`."""
        return place_of(self.store)

    @property
    def datasets(self) -> dict[str, Mapping[str, Any]]:
        """Step -> its default output, where that is documents; what steps put aside (`near.removed`) is left out."""
        made: Mapping[str, Mapping[str, Any]] = self.outputs.get("outputs") or {}
        return {step: one for step, one in made.items() if one.get("kind") == "documents" and "." not in step}

    @property
    def status(self) -> str:
        """`done`, `failed`, `interrupted` (stopped, or its process is gone), or `running`."""
        if self.outputs:
            return str(self.outputs.get("status", "done"))
        for event in reversed(self.events):
            if event.event == "run_finished":
                return str(event.data.get("status", "done"))
        return "running" if self.alive is not False else "interrupted"

    @property
    def alive(self) -> bool | None:
        """Whether the process that started this run still lives; None where that cannot be told (another host)."""
        started = [event for event in self.events if event.event == "run_started"]
        return _is_alive(started[-1].data) if started else False

    @property
    def executor(self) -> str:
        """The executor the run took; empty if unknown."""
        if self.outputs.get("executor"):
            return str(self.outputs["executor"])
        return str(next((one.data.get("executor", "") for one in self.events if one.event == "run_started"), ""))

    def _in_order(self, by_step: Mapping[str, Any]) -> dict[str, Any]:
        """Sort a mapping by step: JSON in its canonical form has lost the order of the run."""
        steps = [str(step["id"]) for stage in self.plan.get("stages", []) for step in stage.get("steps", [])]
        places = {step: place for place, step in enumerate(steps)}
        names = sorted(by_step, key=lambda name: places.get(name.partition(".")[0], len(places)))
        return {name: by_step[name] for name in names}

    def expect_ended(self) -> None:
        """Raise UsageError for a run that goes on or was killed: it has left no outputs to look at."""
        if self.outputs:
            return
        root = self.folder.parent.parent.parent
        ended = [one for one in list_runs(root, self.name) if one.outputs]
        raise UsageError(
            f"run {self.name!r} ({self.timestamp}) has left no outputs: it is {self.status}",
            where=str(self.folder),
            expected=f"a run that has ended, well or not{f', as {self.name}@{ended[-1].timestamp}' if ended else ''}",
            hint=f"corpusmill status {self.name}{self.place}",
        )

    def output(self, step: str) -> Mapping[str, Any]:
        """Return what a step left; raises UsageError with the nearest step."""
        outputs: Mapping[str, Any] = self.outputs.get("outputs", {})
        if step in outputs:
            return dict(outputs[step])
        close = nearest(step, outputs)
        raise UsageError(
            f"run {self.name!r} ({self.timestamp}, {self.status}) has no output {step!r}",
            where=str(self.folder / "outputs.json"),
            expected="one of " + (", ".join(outputs) or "none: nothing was published"),
            hint=f"corpusmill show run:{self.name}@{self.timestamp}/{close}{self.place}" if close else None,
        )


def place_of(store: Path | str) -> str:
    """Return what a command typed here needs to find a store: nothing for the default one, or ` --store URI`."""
    here = str(store) in (DEFAULT_STORE, str(Path(DEFAULT_STORE).absolute()))
    return "" if here else f" --store {shlex.quote(str(store))}"


def list_runs(store: Path | str, name: str | None = None) -> list[RunRecord]:
    """Return the runs of a store (of one name), oldest first."""
    root = _runs_folder(store)
    names = [name] if name is not None else _folders(root)
    found = [RunRecord(one, time, root / one / time) for one in names for time in _folders(root / one)]
    return sorted(found, key=lambda record: (record.timestamp, record.name))


def latest_run(store: Path | str, name: str, timestamp: str | None = None) -> RunRecord:
    """Return the newest run of a name, or the one whose timestamp starts with `timestamp`.

    Raises UsageError with the names (or times) there are and the nearest one.
    """
    root = _runs_folder(store)
    known = _folders(root)
    if name not in known:
        close = nearest(name, known)
        raise UsageError(
            f"no run named {name!r}",
            where=str(root),
            expected="one of " + ", ".join(known) if known else "a store with runs; this one has none",
            hint=f"did you mean {close!r}?" if close else "corpusmill status --store STORE lists the runs of a store",
        )
    times = [time for time in _folders(root / name) if timestamp is None or time.startswith(timestamp)]
    if not times or (timestamp is not None and len(times) > 1 and timestamp not in times):
        raise UsageError(
            f"{len(times) or 'no'} runs of {name!r} at {timestamp!r}",
            where=str(root / name),
            expected="one of " + (", ".join(_folders(root / name)) or "none: the folder is empty"),
            hint=f"corpusmill status {name}{place_of(store)}",
        )
    time = timestamp if timestamp in times else times[-1]
    return RunRecord(name, str(time), root / name / str(time))


def sources(step: Mapping[str, Any]) -> list[str] | None:
    """Return the ids of the steps that a step of `plan.json` reads; None where the plan does not say.

    A step's `needs` is {port: [reference]} or [reference]; of a reference (`split.train`) the id counts.
    """
    needs = step.get("needs")
    if needs is None:
        return None
    listed = [one for ids in needs.values() for one in ids] if isinstance(needs, Mapping) else list(needs)
    return [str(one).partition(".")[0] for one in listed]


def _runs_folder(store: Path | str) -> Path:
    text = str(store)
    if "://" not in text:
        return Path(text) / RUNS
    from corpusmill.dataset.store import Store  # only an object store needs it
    from corpusmill.runner.run_mirror import pull_runs

    opened = Store(text)
    pull_runs(opened)
    return opened.runs_root / RUNS


def _folders(root: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in os.scandir(root) if entry.is_dir() and not entry.name.startswith("."))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _read_json(path: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise StoreError(f"damaged file {path.name!r}", where=str(path), hint="run the pipeline again") from error
    return content if isinstance(content, dict) else {}


def _is_alive(started: Mapping[str, Any]) -> bool | None:
    if started.get("host") != socket.gethostname():
        return None
    pid = int(started.get("pid", 0))
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    # The number may have gone to another process since: the same number counts only with the same start.
    before = started.get("process_start")
    return before is None or process_start(pid) == before
