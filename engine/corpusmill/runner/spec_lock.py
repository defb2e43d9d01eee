"""spec.lock: what a pipeline's references to other runs mean, kept from its first run on until it is renewed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from corpusmill.dataset.local_storage import LocalStorage
from corpusmill.dataset.store import Store, write_errors
from corpusmill.errors import StoreError

FILE_NAME = "spec.lock"
VERSION = 1
_RENEW = "corpusmill run SPEC --relock writes it anew"


@dataclass(frozen=True)
class Pin:
    """What one reference means: the run (`NAME@TIMESTAMP`) it was found in, the digest there, the split it selects."""

    run: str
    digest: str
    split: str | None = None


Pins = Mapping[str, Pin]
"""Reference as the spec says it (`run:base/near.train`) -> what it means."""


def lock_path(store: Store, name: str) -> Path:
    """Return where the lock of a pipeline lies: with its runs, for a digest means something in one store only."""
    return store.runs_root / "runs" / name / FILE_NAME


def read_lock(path: Path) -> dict[str, Pin]:
    """Return the pins of a lock; none where there is no file. Raises StoreError for one that cannot be understood."""
    try:
        content = json.loads(path.read_bytes())
        if content["version"] == VERSION:
            return {str(text): Pin(**pin) for text, pin in content["references"].items()}
        problem = f"{FILE_NAME} has version {content['version']!r}"
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        problem = f"{FILE_NAME} cannot be read: {error.strerror or error}"
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        problem = f"{FILE_NAME} is damaged ({type(error).__name__}: {error})"
    raise StoreError(problem, where=str(path), expected=f"a lock of version {VERSION}", hint=_RENEW)


def lock_text(pins: Pins) -> str:
    """Return the lock's text: a function of the pins alone, one line a fact, sorted, so that two of them compare."""
    references = {text: asdict(pin) for text, pin in pins.items()}
    return json.dumps({"version": VERSION, "references": references}, indent=2, sort_keys=True) + "\n"


def write_lock(path: Path, pins: Pins) -> None:
    """Write, replace or (where nothing is pinned) remove a lock, at once: a killed run leaves the old or the new one.

    Raises StoreError when the disk is full or may not be written.
    """
    folder = LocalStorage(path.parent)
    with write_errors(str(path)):
        if not pins:
            folder.delete(path.name)
        elif not folder.exists(path.name) or folder.read(path.name) != lock_text(pins).encode():
            folder.put(path.name, lock_text(pins).encode())
