"""The journal: a run's event log, one JSON object a line, appended as things happen and readable after any crash."""

from __future__ import annotations

import json
import math
import os
import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from corpusmill.dataset.store import write_errors
from corpusmill.errors import StoreError
from corpusmill.plugin.hookspecs import hookimpl
from corpusmill.runner.family import process_start

FILE_NAME = "journal.jsonl"
REDACTED = "***"
_BULKY = ("ledger", "damaged", "outputs", "counts", "signals", "values")
"""Keys of `run_finished` that `outputs.json` keeps; the journal would only repeat them."""


@dataclass(frozen=True)
class Event:
    """One line of a journal: `time` (ISO 8601, UTC), the event's name, and what the hook was told."""

    time: str
    event: str
    data: Mapping[str, Any]


class Journal:
    """Appends events to `journal.jsonl` in the run's folder; register it as an observer.

    Each event is one `write` of one line, so a crash tears at most the last line. Ends of stages and of the run
    are fsynced: what a reader is told is finished stays finished after a power cut. `secrets` are values (of
    `${env:X}`) that must not reach the disk; they are replaced wherever they occur inside a text.
    """

    def __init__(self, secrets: Iterable[str] = (), clock: Callable[[], datetime] | None = None) -> None:
        # The longest first: a secret that contains another must not leave its rest behind.
        self._secrets = sorted({secret for secret in secrets if secret}, key=lambda secret: (-len(secret), secret))
        self._clock = clock or (lambda: datetime.now(UTC))
        self._lock = threading.Lock()
        self._file: int | None = None
        self._path = FILE_NAME
        self._places: dict[str, tuple[Any, Any]] = {}

    def open(self, folder: Path | str) -> None:
        """Open the journal of a run's folder for appending; a torn last line is cut off first."""
        path = Path(folder) / FILE_NAME
        self.close()
        with write_errors(str(path)):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            _cut_torn_tail(self._file)
        self._path = str(path)

    def close(self) -> None:
        """Flush to disk and close; harmless when closed."""
        with self._lock:
            file, self._file = self._file, None
            if file is not None:
                with write_errors(self._path):
                    try:
                        os.fsync(file)
                    finally:
                        os.close(file)

    def write(self, event: str, data: Mapping[str, Any], *, durable: bool = False) -> None:
        """Append one event; raises StoreError when no journal is open."""
        time = self._clock().astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = json.dumps({"time": time, "event": event, "data": self._plain(data)}, allow_nan=False) + "\n"
        with self._lock:
            if self._file is None:
                raise StoreError("the journal is not open", expected="run_started, or Journal.open(folder), first")
            with write_errors(self._path):
                os.write(self._file, line.encode("ascii"))
                if durable:
                    os.fsync(self._file)

    @hookimpl
    def corpusmill_run_started(self, run: dict[str, Any]) -> None:
        """Open the journal in the run's folder and say who runs: host, process, and when the process started."""
        self.open(run["folder"])
        process = {"host": socket.gethostname(), "pid": os.getpid(), "process_start": process_start(os.getpid())}
        self.write("run_started", {**run, **process}, durable=True)

    @hookimpl
    def corpusmill_stage_started(self, stage: dict[str, Any]) -> None:
        """Append the event."""
        self.write("stage_started", stage)

    @hookimpl
    def corpusmill_shards_committed(self, stage: dict[str, Any]) -> None:
        """Append the event unless the stage is where it was: heartbeats of a long training would fill the disk."""
        place = (stage.get("done"), stage.get("total"))
        if self._places.get(stage["id"]) != place:
            self._places[stage["id"]] = place
            self.write("shards_committed", stage)

    @hookimpl
    def corpusmill_metrics(self, stage: dict[str, Any], step: int, values: dict[str, float]) -> None:
        """Append the event."""
        self.write("metrics", {"id": stage["id"], "step": step, "values": values})

    @hookimpl
    def corpusmill_stage_finished(self, stage: dict[str, Any]) -> None:
        """Append the event and make it durable."""
        self.write("stage_finished", stage, durable=True)

    @hookimpl
    def corpusmill_run_finished(self, run: dict[str, Any]) -> None:
        """Append the event without what `outputs.json` holds, make it durable, and close."""
        self.write("run_finished", {key: value for key, value in run.items() if key not in _BULKY}, durable=True)
        self.close()

    def _plain(self, value: Any) -> Any:
        """Return JSON values: secrets replaced, non-finite numbers spelt out, anything else as its text."""
        if value is None or isinstance(value, bool | int):
            return value
        if isinstance(value, float):
            return value if math.isfinite(value) else str(float(value))
        if isinstance(value, Mapping):
            return {self._redact(str(key)): self._plain(item) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._plain(item) for item in value]
        if hasattr(value, "item") and getattr(value, "shape", None) == ():
            return self._plain(value.item())  # a NumPy or torch number
        return self._redact(str(value))

    def _redact(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, REDACTED)
        return text


def read_journal(path: Path | str) -> list[Event]:
    """Return the events of a journal in order; a torn last line is ignored, a missing file has no events.

    Raises StoreError for a line that is broken anywhere else: that is damage, not a crash.
    """
    try:
        return parse_journal(Path(path).read_bytes(), path)
    except FileNotFoundError:
        return []


def parse_journal(content: bytes, path: Path | str) -> list[Event]:
    """Return the events of a piece of a journal that begins with a whole line, as `read_journal` does."""
    lines = content.split(b"\n")
    # A line counts once its newline is there: a prefix of a line can itself be valid JSON only by accident.
    return [_event(line, path, number) for number, line in enumerate(lines[:-1], start=1)]


def _event(line: bytes, path: Path | str, number: int) -> Event:
    try:
        entry = json.loads(line)
        return Event(str(entry["time"]), str(entry["event"]), dict(entry["data"]))
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"damaged journal line {number}: {line[:60]!r}",
            where=f"{path}:{number}",
            expected="one JSON object with time, event and data",
            hint="the run's data does not depend on its journal: run the pipeline again for a fresh one",
        ) from error


def _cut_torn_tail(file: int) -> None:
    size = os.fstat(file).st_size
    content = os.pread(file, size, 0) if size else b""
    if content and not content.endswith(b"\n"):
        os.ftruncate(file, content.rfind(b"\n") + 1)
