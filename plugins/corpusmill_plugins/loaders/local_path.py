"""Where a loader's `path` option points: always this machine, never a hub."""

from __future__ import annotations

from pathlib import Path

from corpusmill import InputError


def resolve(path: str, base: str) -> Path:
    """Return the existing file or folder that `path` names, relative to the spec's folder.

    Raises InputError for URLs and for paths that do not exist; nothing is ever downloaded.
    """
    if "://" in path:
        raise InputError(
            f"cannot load from {path!r}",
            expected="a file or folder on this machine",
            hint="download it first, then give its path",
        )
    place = (Path(base) / Path(path).expanduser()).absolute()
    if not place.exists():
        raise InputError(
            f"nothing at path {path!r}",
            where=str(place),
            expected="an existing file or folder (a name on a hub is not looked up)",
            hint="correct `path`, which starts from the folder of the spec",
        )
    return place
