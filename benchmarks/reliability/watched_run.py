"""One run that says how long it was inside the commit protocol: watched_run.py calm|watched|unforced TOLD SPEC STORE

The functions are wrapped before the worker is forked, so that driver and worker count into one shared table. Time is
counted where it is spent: an fsync inside the writing of a record is fsync, not record.
"""

from __future__ import annotations

import json
import mmap
import os
import struct
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

NAMES = ("fsync", "names", "hashes", "digests", "records")
_PAIR = struct.Struct("dd")


class Watch:
    """Seconds and calls by name, of this process and the one it forks."""

    def __init__(self) -> None:
        self._table = mmap.mmap(-1, 2 * len(NAMES) * _PAIR.size)
        self._driver = os.getpid()
        self._lock = threading.Lock()
        self._stacks = threading.local()

    def wrap(self, owner: Any, name: str, kind: str) -> None:
        """Count the calls of a function or method."""
        real = getattr(owner, name)

        def watched(*arguments: Any, **named: Any) -> Any:
            return self._counted(kind, real, arguments, named)

        setattr(owner, name, watched)

    def told(self) -> dict[str, dict[str, Any]]:
        """Return the seconds inside and the calls, both processes together."""
        sums = [[self._read(row, place) for row in range(2)] for place in range(len(NAMES))]
        seconds = {name: sum(one[0] for one in sums[place]) for place, name in enumerate(NAMES)}
        calls = {name: int(sum(one[1] for one in sums[place])) for place, name in enumerate(NAMES)}
        return {"inside": seconds, "calls": calls}

    def _counted(self, kind: str, real: Callable[..., Any], arguments: Any, named: Any) -> Any:
        stack = self._stacks.__dict__.setdefault("stack", [])
        stack.append(0.0)
        began = time.perf_counter()
        try:
            return real(*arguments, **named)
        finally:
            spent = time.perf_counter() - began
            self._add(kind, spent - stack.pop())
            if stack:
                stack[-1] += spent

    def _add(self, kind: str, seconds: float) -> None:
        row, place = int(os.getpid() != self._driver), NAMES.index(kind)
        with self._lock:
            before = self._read(row, place)
            _PAIR.pack_into(self._table, self._offset(row, place), before[0] + seconds, before[1] + 1)

    def _read(self, row: int, place: int) -> tuple[float, float]:
        found: tuple[float, float] = _PAIR.unpack_from(self._table, self._offset(row, place))
        return found

    def _offset(self, row: int, place: int) -> int:
        return (row * len(NAMES) + place) * _PAIR.size


class _Hasher:
    """A hasher whose time counts; writing the bytes is no part of the protocol."""

    def __init__(self, real: Any, watch: Watch):
        self.hexdigest, self.update = real.hexdigest, real.update
        watch.wrap(self, "update", "hashes")


def watch_protocol(watch: Watch) -> None:
    """Wrap what a commit consists of."""
    from corpusmill.dataset import artifact, commits, hashing, manifest, store
    from corpusmill.dataset.digest import RowDigest

    watch.wrap(os, "fsync", "fsync")
    for name in ("replace", "rename", "link", "unlink"):
        watch.wrap(os, name, "names")
    make = hashing.HashedSink.__init__

    def made(sink: Any, *arguments: Any) -> None:
        make(sink, *arguments)
        sink._hasher = _Hasher(sink._hasher, watch)

    hashing.HashedSink.__init__ = made  # type: ignore[method-assign]
    for room in (hashing, store, commits, artifact):
        if hasattr(room, "hash_file"):
            watch.wrap(room, "hash_file", "hashes")
    watch.wrap(RowDigest, "update", "digests")
    watch.wrap(commits.CommitLog, "put_if_absent", "records")
    watch.wrap(commits.CommitLog, "consolidate", "records")
    for name in ("record", "note", "place"):
        if hasattr(store.Store, name):
            watch.wrap(store.Store, name, "records")
    watch.wrap(store.Store, "publish", "records")
    watch.wrap(manifest, "write_table", "records")


def main() -> None:
    """Run, and leave what was measured."""
    how, told, spec, uri = sys.argv[1:]
    began = time.perf_counter()
    from corpusmill.plan.check import check
    from corpusmill.runner.driver import RunOptions, run_spec

    watch = Watch()
    if how == "watched":
        watch_protocol(watch)
    if how == "unforced":
        os.fsync = lambda descriptor: None
    run_spec(check(spec), RunOptions(store=uri, executor="inline"))
    Path(told).write_text(json.dumps({"wall": time.perf_counter() - began, **watch.told()}))


if __name__ == "__main__":
    main()
