"""A client of object stores for crash tests: it notes what every operation leaves, and lets one of them go wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from simulated_disk import Point

from corpusmill.dataset.object_client import Head, ObjectClient
from corpusmill.errors import StoreError

KINDS = ("put", "put_new", "get", "get_range", "head", "delete", "list")
"""Every operation of `ObjectClient` but `unfinished`, which only `gc` asks."""
CHANGING = ("put", "put_new", "delete")

Objects = Mapping[str, bytes]


class Watch:
    """What all clients of a run share: which stage is at work, what is there, which operation is to go wrong.

    Armed with (phase, kind, number, how), the `number`th `kind` of that phase goes wrong: `refused` (it fails and did
    nothing), `unclear` (it was done, and its answer is lost: the client cannot tell the two apart) or `repeat` (it
    arrives twice, as after a retry of the transport, and the second answer counts).
    """

    def __init__(self, told: Callable[[Point, Objects], None] | None = None):
        self.phase, self.number, self.fired = "start", 0, False
        self.objects: dict[str, bytes] = {}
        self.counts: dict[tuple[str, str], int] = {}
        self._told = told
        self._armed: tuple[str, str, int, str] | None = None

    def arm(self, phase: str, kind: str, number: int, how: str) -> None:
        """Let one operation go wrong."""
        self._armed, self.fired, self.counts, self.phase = (phase, kind, number, how), False, {}, "start"

    def disarm(self) -> None:
        """Let everything go well."""
        self._armed = None

    def through(self, client: ObjectClient) -> ObjectClient:
        """Return a client that is watched."""
        return WatchedClient(client, self)

    def do(self, kind: str, key: str, operation: Callable[[], Any]) -> Any:
        """Do an operation, or what is armed."""
        place = (self.phase, kind)
        self.counts[place] = self.counts.get(place, 0) + 1
        how = None
        if self._armed is not None and not self.fired and (*place, self.counts[place]) == self._armed[:3]:
            self.fired, how = True, self._armed[3]
        if how == "refused":
            raise _no_answer(key)
        result = operation()
        if how == "repeat":
            result = operation()
        if how == "unclear":
            raise _no_answer(key)
        return result

    def note(self, kind: str, key: str, data: bytes | None) -> None:
        """Count an operation that was done, and hand on what a crash right after it leaves."""
        if kind == "delete":
            self.objects.pop(key, None)
        elif data is not None:
            self.objects[key] = data
        self.number += 1
        if self._told is not None:
            self._told(Point(self.number, kind, self.phase), dict(self.objects))


class WatchedClient:
    """A client whose operations go through a `Watch`."""

    def __init__(self, inner: ObjectClient, watch: Watch):
        self._inner, self._watch = inner, watch

    def put(self, key: str, data: bytes | Path) -> None:
        """Put, watched."""
        held = data if isinstance(data, bytes) else data.read_bytes()
        self._watch.do("put", key, lambda: self._inner.put(key, data))
        self._watch.note("put", key, held)

    def put_new(self, key: str, data: bytes) -> bool:
        """Put on condition, watched."""
        made: bool = self._watch.do("put_new", key, lambda: self._inner.put_new(key, data))
        self._watch.note("put_new", key, data if made else None)
        return made

    def get(self, key: str) -> bytes:
        """Get, watched."""
        return self._read("get", key, lambda: self._inner.get(key))

    def get_range(self, key: str, start: int, stop: int) -> bytes:
        """Get a range, watched."""
        return self._read("get_range", key, lambda: self._inner.get_range(key, start, stop))

    def head(self, key: str) -> Head:
        """Look, watched."""
        return self._read("head", key, lambda: self._inner.head(key))

    def delete(self, key: str) -> None:
        """Delete, watched."""
        self._watch.do("delete", key, lambda: self._inner.delete(key))
        self._watch.note("delete", key, None)

    def list(self, prefix: str) -> Iterator[tuple[str, Head]]:
        """List, watched."""
        yield from self._read("list", prefix, lambda: list(self._inner.list(prefix)))

    def unfinished(self) -> Iterator[str]:
        """As the inner one."""
        return self._inner.unfinished()

    def _read(self, kind: str, key: str, operation: Callable[[], Any]) -> Any:
        found = self._watch.do(kind, key, operation)
        self._watch.note(kind, key, None)
        return found


def _no_answer(key: str) -> StoreError:
    return StoreError(
        f"no answer from the object store for {key!r}: simulated", where="a test", hint="run the same command again"
    )
