"""The unit that looks at input files: cuts them into ranges, hashes what decides their rows, compares checksums."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from corpusmill.dataset.hashing import hash_stream
from corpusmill.errors import CorruptFile
from corpusmill.runner.files import LocalFile
from corpusmill.runner.promises import check_digest, hasher_of
from corpusmill.runner.shards import Range
from corpusmill.runner.workspace import Workspace


def run_identify(payload: Mapping[str, Any], workspace: Workspace, key: str) -> dict[str, Any]:
    """Return the ranges of each file and the files that cannot be cut because they are damaged.

    A file whose checksum is promised is compared with it; what is hashed for its ranges are the same bytes.
    """
    reader = workspace.operator(payload["reader"])
    promised, listed = payload["checksums"], payload["listed"]
    files: list[list[Any]] = []
    damaged: list[list[Any]] = []
    for one in payload["files"]:
        file = LocalFile(one["name"], one["path"], one["size"])
        try:
            files.append([range_.to_json() for range_ in _ranges(reader, file, promised.get(file.name), listed)])
        except CorruptFile as error:
            damaged.append([error.name, error.reason, error.offset])
        except OSError as error:
            damaged.append([file.name, f"cannot be read ({error.strerror or error})", None])
    return {"files": files, "damaged": damaged}


def _ranges(reader: Any, file: LocalFile, promised: str | None, listed: str) -> list[Range]:
    if promised is None:
        return _hashed(reader, file, None)
    hasher = hasher_of(promised)
    try:
        ranges = _hashed(reader, file, hasher)
    except CorruptFile:
        # It cannot even be cut: that its bytes are others says more.
        check_digest(file, promised, _whole(file, hasher_of(promised)), listed)
        raise
    if reader.counts == "bytes" and not _covers(ranges, file.size):
        hasher = _whole(file, hasher_of(promised))
    check_digest(file, promised, hasher, listed)
    return ranges


def _hashed(reader: Any, file: LocalFile, also: Any) -> list[Range]:
    """Return the file's ranges with their hashes; `also` is fed the bytes of all of them."""
    cuts = [(0, 0)] if file.size == 0 else reader.ranges(file)
    with file.open() as stream:
        if reader.counts != "bytes":
            # Where ranges do not count bytes the whole file decides each of them: one hash serves all.
            whole, _ = hash_stream(stream, file.size, also)
            return [Range(file.name, file.path, start, stop, whole, file.size) for start, stop in cuts]
        ranges = []
        for start, stop in cuts:
            stream.seek(start)
            found, _ = hash_stream(stream, stop - start, also)
            ranges.append(Range(file.name, file.path, start, stop, found, file.size))
        return ranges


def _covers(ranges: Sequence[Range], size: int) -> bool:
    """Say whether the ranges are the file, once and in order, as they should be."""
    ends = [0, *(one.stop for one in ranges)]
    return [one.start for one in ranges] == ends[:-1] and ends[-1] == size


def _whole(file: LocalFile, hasher: Any) -> Any:
    with file.open() as stream:
        hash_stream(stream, None, hasher)
    return hasher
