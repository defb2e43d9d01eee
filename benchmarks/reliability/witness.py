"""A plugin that watches a run from inside, for kills: counts file operations in its store, stops before a chosen one.

A spec names this file as a plugin, so the driver and every worker load it. It does nothing unless WITNESS names a
folder. There it keeps, by appending alone, so that a SIGKILL loses nothing: `count-PHASE` (a byte an operation),
`units.jsonl` (units of work as they begin and end), and `met-PHASE-NUMBER` when it stops before an operation that
`stops.json` lists; it goes on once `go-PHASE-NUMBER` is there. No hook of the engine is needed: Python tells audit
hooks of each file that is opened, linked, renamed or removed.
"""

import contextlib
import json
import os
import sys
import threading
import time
from pathlib import Path

from corpusmill import hookimpl

FOLDER, ROOTS = os.environ.get("WITNESS"), os.environ.get("WITNESS_ROOTS", "")
_CHANGES = ("os.rename", "os.link", "os.remove", "os.mkdir", "os.rmdir")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_PATIENCE = 300.0
"""Seconds that a stop lasts at most: whoever ordered it may have died."""
STAGES = {
    "pass": "pass",
    "dedup": "exchange",
    "tokenizer": "tokenizer training",
    "tokens": "tokens",
    "train": "model training",
    "evaluate": "evaluation",
    "write": "export",
}
"""Kind of a stage, or of a global operator -> phase."""
_UNITS = {
    "pass": "pass",
    "identify": "pass",
    "repeats": "pass",
    "encode": "tokens",
    "windows": "tokens",
    "write": "export",
}


class Witness:
    """What one process knows: its unit of work, the stage of its driver, where to stop."""

    def __init__(self, folder: Path, roots: tuple[str, ...]):
        self.folder, self.roots = folder, roots
        self.stage, self.phase = "plan", None
        try:
            self.stops = {(phase, number) for phase, number in json.loads((folder / "stops.json").read_bytes())}
        except FileNotFoundError:
            self.stops = set()
        self._files: dict[tuple[int, str], int] = {}
        self._inside = threading.local()

    def look(self, event: str, arguments: tuple) -> None:
        """Take an audit event; operations on files of the store and of exports count."""
        if (event != "open" and event not in _CHANGES) or getattr(self._inside, "busy", False):
            return
        name = arguments[1] if event in ("os.rename", "os.link") else arguments[0]
        if isinstance(name, bytes | int) or name is None:
            return
        path = os.fspath(name)
        if not path.startswith(self.roots):
            return
        self._inside.busy = True
        try:
            writes = event != "open" or bool(int(arguments[2] or 0) & _WRITING)
            self._count(self.phase_of(path, writes=writes), event, path)
        finally:
            self._inside.busy = False

    def phase_of(self, path: str, *, writes: bool) -> str:
        """Say which phase of a run an operation belongs to."""
        if writes and "/commits/" in path:
            return "commit"
        if writes and "manifest.json" in path and ("/datasets/" in path or "/artifacts/" in path):
            return "manifest"
        return self.phase or self.stage

    def begin(self, kind: str, key: str, payload: dict) -> None:
        """A unit of work begins in this process."""
        uses = payload["operator"]["uses"] if kind == "global" else ""
        self.phase = STAGES.get(uses.partition(".")[0], "load") if uses else _UNITS.get(kind, "exchange")
        self.tell("begin", kind, key)

    def end(self, kind: str, key: str) -> None:
        """It ended, well or not."""
        self.phase = None
        self.tell("end", kind, key)

    def tell(self, what: str, kind: str, key: str) -> None:
        """Note a unit's begin or end."""
        line = {"what": what, "kind": kind, "key": key, "pid": os.getpid(), "time": time.time()}
        self._append("units.jsonl", json.dumps(line).encode() + b"\n")

    def _count(self, phase: str, event: str, path: str) -> None:
        for name in (phase, "any"):
            number = self._append(f"count-{name}", b".")
            if (name, number) in self.stops:
                self._stop(name, number, {"pid": os.getpid(), "phase": phase, "event": event, "path": path})

    def _append(self, name: str, data: bytes) -> int:
        """Append and return where the file ends now, which no other process's append can be told: its number."""
        key = os.getpid(), name  # a forked child shares its parent's offset: it opens its own
        if key not in self._files:
            self._inside.busy, before = True, getattr(self._inside, "busy", False)
            self._files[key] = os.open(self.folder / name, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            self._inside.busy = before
        os.write(self._files[key], data)
        return os.lseek(self._files[key], 0, os.SEEK_CUR)

    def _stop(self, phase: str, number: int, place: dict) -> None:
        """Say where this process is and wait, to be killed or to be sent on."""
        beside = self.folder / f".met-{os.getpid()}-{number}"
        beside.write_text(json.dumps(place))
        os.replace(beside, self.folder / f"met-{phase}-{number}")
        ends = time.monotonic() + _PATIENCE
        while not (self.folder / f"go-{phase}-{number}").exists() and time.monotonic() < ends:
            time.sleep(0.005)


def _follow_units(witness: Witness) -> None:
    """Hear of each unit that this process, or a child it forks, runs; one that loads this file has begun already."""
    from corpusmill.runner import worker

    inner = worker.run_unit

    def run_unit(kind, key, payload, settings, handles):
        witness.begin(kind, key, payload)
        try:
            return inner(kind, key, payload, settings, handles)
        finally:
            witness.end(kind, key)

    worker.run_unit = run_unit
    frame = sys._getframe()
    while frame is not None and frame.f_code is not inner.__code__:
        frame = frame.f_back
    if frame is not None:
        witness.begin(*(frame.f_locals[name] for name in ("kind", "key", "payload")))


_WITNESS = None
if FOLDER:
    # The name is a link that moves on with each trial: a process keeps to the one it began with.
    _WITNESS = Witness(Path(FOLDER).resolve(), tuple(ROOTS.split(os.pathsep)))
    _follow_units(_WITNESS)
    sys.addaudithook(_WITNESS.look)


@hookimpl
def corpusmill_stage_started(stage):
    """The driver turns to a stage."""
    if _WITNESS is not None:
        _WITNESS.stage = STAGES.get(stage["kind"], stage["kind"])


@hookimpl
def corpusmill_run_finished(run):
    """The driver has nothing left but its record."""
    if _WITNESS is not None:
        _WITNESS.stage = "record"
        with contextlib.suppress(OSError):
            _WITNESS.tell("end", "run", run["status"])
