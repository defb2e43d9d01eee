"""The seam to object stores: whole objects under flat keys, put, put if new, got, looked at, deleted and listed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Head:
    """What a store says of an object: bytes, epoch seconds of its last change, and a text that changes with it."""

    bytes: int
    modified: float
    version: str


class ObjectClient(Protocol):
    """The operations of an object store; an object appears whole or not at all, nothing is renamed or appended to.

    Absent keys raise FileNotFoundError. Each call has tried again, within bounds, what may be tried again; what then
    still fails raises StoreError, and whether a put has arrived is unknown.
    """

    def put(self, key: str, data: bytes | Path) -> None:
        """Store bytes or a file of known length under a key, replacing what is there; what arrived is what was sent."""

    def put_new(self, key: str, data: bytes) -> bool:
        """Store bytes on the condition that the key is free; False when it is not."""

    def get(self, key: str) -> bytes:
        """Return an object."""

    def get_range(self, key: str, start: int, stop: int) -> bytes:
        """Return the bytes of an object from `start` to `stop`; fewer where it ends before, none beyond its end."""

    def head(self, key: str) -> Head:
        """Look at an object without reading it."""

    def delete(self, key: str) -> None:
        """Delete an object; one that is not there is no error."""

    def list(self, prefix: str) -> Iterator[tuple[str, Head]]:
        """Yield the keys that start with a prefix, in any order."""

    def unfinished(self) -> Iterator[str]:
        """Yield names of uploads that were begun and not finished, where the store shows them as objects."""
