"""Watching files for a save: by looking at them a few times a second, so that it works on every file system."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

_PAUSE = 0.2
"""Seconds between two looks."""


class Watcher:
    """Knows what files looked like, and waits until one looks different. `pause` lets time pass between looks."""

    def __init__(self, paths: Sequence[Path], pause: Callable[[], None] = lambda: time.sleep(_PAUSE)):
        self._paths, self._pause = list(paths), pause
        self._seen = self._looks()

    def wait(self) -> list[Path]:
        """Return the files that changed since the last call, as soon as there is one.

        A file counts when it looks the same twice in a row: one that is being written is not read by halves, and one
        that is gone for a moment, as it is while some editors save, is waited for.
        """
        before = self._looks()
        while True:
            changed = [path for path in self._paths if before[path] not in (None, self._seen[path])]
            self._pause()
            looks = self._looks()
            if changed and looks == before:
                self._seen = looks
                return changed
            before = looks

    def _looks(self) -> dict[Path, tuple[int, int, int] | None]:
        return {path: _look(path) for path in self._paths}


def _look(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
