"""The unit that looks at input files: cuts them into ranges and hashes what decides each range's rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from corpusmill.errors import CorruptFile
from corpusmill.runner.files import LocalFile
from corpusmill.runner.shards import Range
from corpusmill.runner.sources import range_hash
from corpusmill.runner.workspace import Workspace


def run_identify(payload: Mapping[str, Any], workspace: Workspace, key: str) -> dict[str, Any]:
    """Return the ranges of each file and the files that cannot be cut because they are damaged."""
    reader = workspace.operator(payload["reader"])
    files: list[list[Any]] = []
    damaged: list[list[Any]] = []
    for one in payload["files"]:
        file = LocalFile(one["name"], one["path"], one["size"])
        try:
            files.append([range_.to_json() for range_ in _ranges(reader, file)])
        except CorruptFile as error:
            damaged.append([error.name, error.reason, error.offset])
        except OSError as error:
            damaged.append([file.name, f"cannot be read ({error.strerror or error})", None])
    return {"files": files, "damaged": damaged}


def _ranges(reader: Any, file: LocalFile) -> list[Range]:
    ranges = [(0, 0)] if file.size == 0 else reader.ranges(file)
    # Where ranges do not count bytes the whole file decides each of them: one hash serves all.
    whole = None if reader.counts == "bytes" else range_hash(reader, file, 0, 0)
    return [
        Range(file.name, file.path, start, stop, whole or range_hash(reader, file, start, stop), file.size)
        for start, stop in ranges
    ]
