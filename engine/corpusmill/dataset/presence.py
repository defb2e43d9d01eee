"""Which files are there: on an object store asked one by one while they are few, then by listing folders once."""

from __future__ import annotations

from corpusmill.dataset.storage import Storage

FEW = 64
"""So many requests for one file each before a folder is listed: a page of a listing tells a thousand names."""


class Presence:
    """Answers `exists` for immutable files.

    That one is there may be old news: who reads it finds out, as with any file that is removed behind a run's back.
    That one is not there is asked anew each time, for it may have been written since.
    """

    def __init__(self, storage: Storage):
        self._storage = storage
        self._known: set[str] = set()
        self._listed: set[str] = set()
        self._asked = 0

    def __call__(self, name: str) -> bool:
        """Say whether the name is there."""
        if not self._storage.remote:
            return self._storage.exists(name)
        folder = name[: name.rindex("/") + 1]
        if self._asked >= FEW and folder not in self._listed:
            self._listed.add(folder)
            self._known.update(self._storage.list(folder))
        if name in self._known:
            return True
        self._asked += 1
        return self._storage.exists(name)

    def forget(self, name: str) -> None:
        """Note that a file was removed."""
        self._known.discard(name)
