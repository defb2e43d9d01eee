"""Run records of a store that is no folder: written on this machine, kept in the store, fetched on any other."""

from __future__ import annotations

from pathlib import Path

from corpusmill.dataset.disk import make_folders, replace_file
from corpusmill.dataset.store import Store, write_errors
from corpusmill.runner.spec_lock import FILE_NAME as LOCK

RUNS = "runs/"
_LAST = "outputs.json"
"""Says that a run has ended, so it goes up after what it speaks of."""


def push_run(store: Store, folder: Path) -> None:
    """Put the record of a run, and the lock of its pipeline, into the store; nothing to do where it lies there.

    Raises StoreError. What a killed run left stays on its machine alone: nothing but `status` there looks at it.
    """
    if not store.storage.remote:
        return
    files = [path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")]
    lock = folder.parent / LOCK
    for path in [*sorted(files, key=lambda one: (one.name == _LAST, one.name)), *([lock] if lock.is_file() else [])]:
        store.note(path.relative_to(store.runs_root).as_posix(), path.read_bytes())


def pull_runs(store: Store) -> None:
    """Fetch the records of runs on other machines that are not here yet; a pipeline's lock always, for it changes."""
    if not store.storage.remote:
        return
    for name in store.storage.list(RUNS):
        parts = name.split("/")
        target = store.runs_root / name
        locks = len(parts) == 3 and parts[2] == LOCK
        record = len(parts) == 4 and not target.exists()
        if locks or record:
            data = store.storage.read(name)
            with write_errors(str(target)):
                make_folders(target.parent)
                replace_file(target, data)
