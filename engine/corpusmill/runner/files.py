"""Input files: found by path or glob, named relative to their common root, sorted."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from corpusmill.errors import InputError

_MAGIC = set("*?[")


@dataclass(frozen=True)
class LocalFile:
    """A file on disk; `name` is its path relative to the reader's root, `modified` and `changed` mtime and ctime in ns.

    The time of writing can be set back, the time of the change of the inode cannot.
    """

    name: str
    path: str
    size: int
    modified: int = 0
    changed: int = 0

    def open(self) -> IO[bytes]:
        """Open the stored bytes."""
        return open(self.path, "rb")

    def to_json(self) -> dict[str, Any]:
        """Return the file as it travels to a worker."""
        return {"name": self.name, "path": self.path, "size": self.size, "modified": self.modified}


def find_files(patterns: str | Sequence[str], base: Path) -> list[LocalFile]:
    """Return the files of all patterns, each once, sorted by name.

    A pattern is a path, a folder (all files below it) or a glob with `**`. Raises InputError when one finds none.
    """
    patterns = [patterns] if isinstance(patterns, str) else list(patterns)
    found: set[str] = set()
    for pattern in patterns:
        absolute = os.path.join(base, os.path.expanduser(pattern.removeprefix("file://")))
        matches = _matches(absolute)
        if not matches:
            raise InputError(
                f"no file matches {pattern!r}",
                where=str(base),
                expected="at least one file",
                hint="copy the files, or mount the bucket: inputs are read from paths of this machine"
                if "://" in pattern and not pattern.startswith("file://")
                else "check the path; relative paths start from the spec's folder",
            )
        found.update(matches)
    root = _common_root([os.path.join(base, pattern) for pattern in patterns])
    files = []
    for path in found:
        try:
            status = os.stat(path)
        except OSError as error:
            raise InputError(
                f"cannot look at {path!r}: {error.strerror or error}",
                where=str(base),
                expected="input files that stay as they are during a run",
                hint="run the same command again; finished work is kept",
            ) from error
        name, times = Path(os.path.relpath(path, root)).as_posix(), (status.st_mtime_ns, status.st_ctime_ns)
        files.append(LocalFile(name, path, status.st_size, *times))
    return sorted(files, key=lambda file: file.name)


def _matches(pattern: str) -> list[str]:
    if os.path.isdir(pattern):
        pattern = os.path.join(glob.escape(pattern), "**", "*")
    literal = not _MAGIC & set(pattern) or os.path.isfile(pattern)  # a name may have brackets in it
    paths = [pattern] if literal else glob.glob(pattern, recursive=True)
    return [os.path.normpath(path) for path in paths if os.path.isfile(path)]


def _common_root(patterns: Sequence[str]) -> str:
    """Return the deepest folder that all patterns start from, before any wildcard."""
    roots = []
    for pattern in patterns:
        parts = Path(os.path.normpath(pattern)).parts
        fixed = next((index for index, part in enumerate(parts) if _MAGIC & set(part)), len(parts) - 1)
        prefix = os.path.join(*parts[:fixed]) if fixed else "."
        roots.append(pattern if os.path.isdir(pattern) else prefix)
    return os.path.commonpath(roots)
