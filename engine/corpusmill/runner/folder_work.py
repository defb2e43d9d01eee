"""The `Work` of a global operator: a scratch folder in which what is finished is whole, and outlives its worker."""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson

from corpusmill.dataset.hashing import canonical_json, hash_bytes, hash_file, hash_json
from corpusmill.dataset.local_storage import sync_file, sync_folder
from corpusmill.runner.family import is_alive, process_space, process_start

EVENTS = "events.jsonl"
"""Where work says how it goes; the driver on the same machine reads along."""
_CONTENT, _CHECKSUMS = "content", "checksums.json"


class FolderWork:
    """A folder under the store's scratch, named by the work's key.

    What `unit` and `checkpoint` leave there is whole or not there at all, so a killed worker's successor goes on; what
    was damaged since counts as not there. Two workers may be at the same work (a driver that was suspended wakes up
    beside the one that took over): each has an output of its own, and what one has finished serves both.
    """

    def __init__(self, folder: Path, stop: Path, seed: int, device: str, threads: int):
        self.folder, self._stop = folder, stop
        self.seed, self.device, self.threads = seed, device, threads
        for place in (folder, folder / "units", folder / "checkpoints"):
            _remove_unfinished(place)
        self.output = folder / f".output.{_own_mark()}"
        self.output.mkdir(parents=True)

    def unit(self, key: str, make: Callable[[Path], None]) -> Path:
        """Return the folder that `make` filled under this key, now or before a restart."""
        target = self.folder / "units" / hash_json(key)
        return _whole(target) or _fill(target, make)

    def metrics(self, step: int, **values: float) -> None:
        """Record numbers."""
        self._tell({"step": step, "values": values})

    def progress(self, done: int, total: int) -> None:
        """Say how far the work is."""
        self._tell({"done": done, "total": total})

    def should_stop(self) -> bool:
        """True once the user asked to stop."""
        return self._stop.exists()

    def checkpoint(self, step: int, save: Callable[[Path], None]) -> None:
        """Publish a checkpoint: built apart, synced, renamed; older ones go afterwards."""
        folder = self.folder / "checkpoints"
        target = folder / f"{step:012d}"
        if not target.is_dir():
            _fill(target, save)
        for name in _checkpoints(folder):
            if name < target.name:
                shutil.rmtree(folder / name, ignore_errors=True)

    def latest_checkpoint(self) -> Path | None:
        """Return the newest complete checkpoint."""
        folder = self.folder / "checkpoints"
        return next((found for name in reversed(_checkpoints(folder)) if (found := _whole(folder / name))), None)

    def _tell(self, event: Mapping[str, Any]) -> None:
        with (self.folder / EVENTS).open("ab") as stream:
            stream.write(orjson.dumps(event, option=orjson.OPT_SERIALIZE_NUMPY) + b"\n")


def saved_work(folder: Path) -> int:
    """Return a number that grows with what outlives a worker: the step of the newest checkpoint, and finished units."""
    with contextlib.suppress(OSError):  # another driver at the same work may clear it away
        newest = max(map(int, _checkpoints(folder / "checkpoints")), default=0)
        units = folder / "units"
        return newest + sum(not one.name.startswith(".") for one in units.iterdir()) if units.is_dir() else newest
    return 0


def clear_work(folder: Path) -> None:
    """Remove what the work left but its events: the driver, who reads them now and then, may not have seen the last."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != EVENTS:
            path.unlink(missing_ok=True)


def _checkpoints(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir() if one.name.isdigit()) if folder.is_dir() else []


def _fill(target: Path, make: Callable[[Path], None]) -> Path:
    """Fill a folder apart, with the checksums of its files beside them, and rename it into place."""
    beside = target.with_name(f".{target.name}.{_own_mark()}")
    content = beside / _CONTENT
    content.mkdir(parents=True)
    try:
        make(content)
        (beside / _CHECKSUMS).write_bytes(canonical_json(_checksums(content)))
        _sync(beside)
        os.replace(beside, target)
    except OSError:
        if not target.is_dir():  # else another worker at the same work was faster
            raise
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    sync_folder(target.parent)
    return target / _CONTENT


def _whole(target: Path) -> Path | None:
    """Return what a finished folder holds if its bytes are what was written; else remove it, and None."""
    if not target.is_dir():
        return None
    try:
        if orjson.loads((target / _CHECKSUMS).read_bytes()) == _checksums(target / _CONTENT):
            return target / _CONTENT
    except (OSError, orjson.JSONDecodeError):
        pass
    shutil.rmtree(target, ignore_errors=True)
    return None


def _checksums(content: Path) -> dict[str, str]:
    files = sorted(path for path in content.rglob("*") if path.is_file())
    return {path.relative_to(content).as_posix(): hash_file(path)[0] for path in files}


def _sync(folder: Path) -> None:
    """Force a folder's files and entries to the disk, the deepest first."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir():
            sync_folder(path)
        elif path.is_file():
            sync_file(path)
    sync_folder(folder)


def _own_mark() -> str:
    """Return a name for what this process builds, by which another process of this machine sees whether it lives."""
    return f"{_space()}-{os.getpid()}-{hash_json(process_start(os.getpid()))[:8]}-{uuid.uuid4().hex}"


def _space() -> str:
    return hash_bytes((process_space() or "").encode())[:8]


def _remove_unfinished(folder: Path) -> None:
    """Remove what processes of this machine were building when they died; what others build is judged by its age."""
    if process_space() is None:  # nothing can be said of processes here
        return
    for path in folder.glob(".*") if folder.is_dir() else ():
        space, _, rest = path.name.rpartition(".")[2].partition("-")
        number, _, rest = rest.partition("-")
        if space != _space() or not number.isdigit():
            continue
        start = process_start(int(number))
        if hash_json(start)[:8] != rest.partition("-")[0] or not is_alive(int(number), start):
            shutil.rmtree(path, ignore_errors=True)
