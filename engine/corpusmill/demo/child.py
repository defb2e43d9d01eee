"""A run as a child process: the command, its family of processes, its journal as it grows, its end."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from corpusmill.runner.breadcrumb import read_crumb
from corpusmill.runner.family import below, end, is_alive

STORE = "store"
_START = "from corpusmill.runner.parentage import die_with; die_with({parent}); from corpusmill.cli import main; main()"
_PATIENCE = 60.0
_LOOK, _PAUSE = 0.02, 0.25


@dataclass(frozen=True)
class Place:
    """What is run where: `home` holds the store, exports and logs; `arguments` stand behind `corpusmill run`."""

    home: Path
    name: str
    arguments: tuple[str, ...]

    @property
    def store(self) -> Path:
        """The run's own store."""
        return self.home / STORE

    @property
    def command(self) -> str:
        """The command as a user would type it in `home`."""
        return shlex.join(["corpusmill", "run", *self.arguments, "--store", STORE])

    def journals(self) -> set[Path]:
        """Return the journals of all runs so far."""
        return set((self.store / "runs" / self.name).glob("*/journal.jsonl"))

    def crumbs(self) -> set[str]:
        """Return the keys of units that a worker had begun and not finished, as far as they leave breadcrumbs."""
        found = (self.store / "tmp" / "crumbs").glob("[!.]*")
        return {path.name for path in found if read_crumb(path) is not None}


class Child:
    """One start of the command, in a session of its own: a Ctrl-C in the terminal is not for it.

    It dies with this process, whatever ends that. `log` holds all that it prints.
    """

    def __init__(self, place: Place, number: int):
        self.log = place.home / f"run-{number}.log"
        start = _START.format(parent=os.getpid())
        command = [sys.executable, "-c", start, "run", *place.arguments, "--store", STORE, "--quiet"]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                command, cwd=place.home, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        self.pid = self._process.pid
        self._known: dict[int, str] = {}
        self._seen = 0.0

    def code(self) -> int | None:
        """Return its exit code, negative for a signal; None while it lives. Looks at who is there now and then."""
        if time.monotonic() - self._seen > _PAUSE:
            self.look()
        return self._process.poll()

    def look(self) -> None:
        """Note all its processes: after its death nobody could tell whose they were.

        Only while its end has not been taken note of: from then on its number may be somebody else's.
        """
        if self._process.returncode is None:
            self._seen = time.monotonic()
            self._known |= below([self.pid])

    def kill(self, pid: int) -> bool:
        """Send SIGKILL to one of its processes; False if that was gone."""
        self.look()
        if pid not in self._known or not is_alive(pid, self._known[pid]):
            return False
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True

    def gone(self) -> tuple[int, int, float]:
        """Wait until nobody of its family lives, at most a minute; return how many there were, live on, and seconds."""
        self._process.wait()
        began = time.monotonic()
        while (living := self._living()) and time.monotonic() - began < _PATIENCE:
            time.sleep(_LOOK)
        return len(self._known), len(living), time.monotonic() - began

    def end(self) -> None:
        """End it and all that it started, now; harmless when it has ended."""
        self.look()
        end(self._known)
        self._process.wait()

    def _living(self) -> list[int]:
        return [pid for pid, start in self._known.items() if is_alive(pid, start)]

    def last_words(self, lines: int = 12) -> Sequence[str]:
        """Return the end of what it printed."""
        text = self.log.read_text(encoding="utf-8", errors="replace")
        return [line for line in text.splitlines() if line.strip()][-lines:]
