"""What a spec promises of a reader's input, held against what is there: checksums, numbers of files and of records."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from corpusmill.errors import CorruptFile, InputError
from corpusmill.runner.files import LocalFile, find_files
from corpusmill.spec.model import Spec

_ALGORITHMS = {32: "md5", 40: "sha1", 56: "sha224", 64: "sha256", 96: "sha384", 128: "sha512"}
"""Hex digits -> what made them."""
_LINE = re.compile(r"(?P<escaped>\\?)(?P<digest>[0-9a-fA-F]+) [ *](?P<name>.+)")
_TAGGED = re.compile(r"(?P<escaped>\\?)(?P<algorithm>[A-Z0-9]+) \((?P<name>.+)\) = (?P<digest>[0-9a-fA-F]+)")
_ESCAPES = {r"\\": "\\", r"\n": "\n", r"\r": "\r"}
_FORM = "HEX, two blanks and the name of a file, as sha256sum writes them"


@dataclass(frozen=True)
class Checksums:
    """A list of checksums: its name in the spec, its absolute path, absolute path of a file -> `ALGORITHM:HEX`."""

    name: str
    path: str
    digests: Mapping[str, str]

    def faults(self, files: Sequence[LocalFile], patterns: str | Sequence[str], base: Path) -> list[tuple[str, str]]:
        """Return (file, reason) of the files that are not listed, and of listed ones that should be there and are not.

        Of the listed files only those count that the patterns would take: a list may cover more than one input.
        """
        found = {file.path for file in files}
        unlisted = [(file.name, f"not listed in {self.name}") for file in files if file.path not in self.digests]
        wanted = [_absolute(one, base) for one in ([patterns] if isinstance(patterns, str) else patterns)]
        lost = [path for path in self.digests if path not in found and any(_takes(one, path) for one in wanted)]
        folder = os.path.dirname(self.path)
        return unlisted + [(os.path.relpath(one, folder), f"listed in {self.name}, but not there") for one in lost]


def find_inputs(reader: Any, base: Path) -> list[LocalFile]:
    """Return the files of a reader, each once, sorted by name; the list of their checksums is none of them."""
    files = find_files(reader.options.paths, base)
    listed = reader.options.checksums
    return files if listed is None else [file for file in files if file.path != _absolute(listed, base)]


def read_checksums(reader: Any, base: Path) -> Checksums | None:
    """Return the list of checksums that a reader names, or None; names in it start at its own folder.

    Raises InputError for a list that is not there, holds no file, or has lines that are no checksums.
    """
    name = reader.options.checksums
    if name is None:
        return None
    path = _absolute(name, base)
    try:
        lines = Path(path).read_text(encoding="utf-8", errors="surrogateescape").split("\n")
    except OSError as error:
        raise InputError(f"cannot read the checksums {name!r}: {error.strerror}", where=path, expected=_FORM) from error
    digests: dict[str, str] = {}
    for number, listed, digest in _entries(lines, path):
        full = os.path.normpath(os.path.join(os.path.dirname(path), listed))
        if digests.setdefault(full, digest) != digest:
            raise InputError(f"two checksums of {listed!r}", where=f"{path}, line {number}", expected="one a file")
    if not digests:
        raise InputError(f"no checksum in {name!r}", where=path, expected=_FORM, hint="sha256sum FILE … > SHA256SUMS")
    return Checksums(name, path, digests)


def check_digest(file: LocalFile, promised: str, hasher: Any, listed: str) -> None:
    """Raise CorruptFile unless the hasher, which has seen all of the file, found what was promised."""
    algorithm, _, expected = promised.partition(":")
    if (found := hasher.hexdigest()) != expected:
        raise CorruptFile(file.name, f"its {algorithm} is {found}, but {listed} says {expected}")


def hasher_of(promised: str) -> Any:
    """Return a new hasher for a promised `ALGORITHM:HEX`."""
    return hashlib.new(promised.partition(":")[0], usedforsecurity=False)


def expect_files(spec: Spec, step: Any, files: Sequence[LocalFile]) -> None:
    """Raise InputError unless there are as many files as `expect` says. `step`: a checked step that reads.

    The check says it before a run begins; files may come and go between the two.
    """
    expect = step.options.expect
    if expect is not None and expect.files not in (None, len(files)):
        raise InputError(
            f"{_count(len(files), 'file')} found, where `expect` says {expect.files:,}",
            where=spec.where(step.id, "with", "expect", "files"),
            expected=_count(expect.files, "file"),
            hint="look for what is missing or too much, or correct `expect: {files: …}`",
        )


def expect_records(spec: Spec, step: Any, records: int) -> None:
    """Raise InputError unless as many records were read as `expect` says, bad ones included."""
    expect = step.options.expect
    if expect is not None and expect.rows not in (None, records):
        raise InputError(
            f"{_count(records, 'record')} read, where `expect` says {expect.rows:,}",
            where=spec.where(step.id, "with", "expect", "rows"),
            expected=f"{_count(expect.rows, 'record')}, those in quarantine included; nothing was published",
            hint="look for files that end early, or correct `expect: {rows: …}`: nothing is read again then",
        )


def _entries(lines: Sequence[str], path: str) -> Iterator[tuple[int, str, str]]:
    """Yield (line number, name, `ALGORITHM:HEX`)."""
    for number, line in enumerate((one.rstrip("\r") for one in lines), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _TAGGED.fullmatch(line) or _LINE.fullmatch(line)
        algorithm = _ALGORITHMS.get(len(match["digest"])) if match else None
        tagged = match.groupdict().get("algorithm") if match else None
        if match is None or algorithm is None or (tagged is not None and tagged.lower() != algorithm):
            raise InputError(f"no checksum: {line[:80]!r}", where=f"{path}, line {number}", expected=_FORM)
        name = match["name"]
        if match["escaped"]:
            name = re.sub(r"\\[\\nr]", lambda one: _ESCAPES[one[0]], name)
        yield number, name, f"{algorithm}:{match['digest'].lower()}"


def _absolute(name: str, base: Path) -> str:
    return os.path.normpath(os.path.join(base, os.path.expanduser(name.removeprefix("file://"))))


def _takes(pattern: str, path: str) -> bool:
    """Say whether a path, folder or glob means a file, which need not be there."""
    if os.path.isdir(pattern):
        return path.startswith(pattern.rstrip(os.sep) + os.sep)
    return _fits(pattern.split(os.sep), path.split(os.sep))


def _fits(patterns: Sequence[str], names: Sequence[str]) -> bool:
    if not patterns or not names:
        return not patterns and not names
    if patterns[0] == "**":
        return any(_fits(patterns[1:], names[skip:]) for skip in range(len(names))) or len(patterns) == 1
    hidden = names[0].startswith(".") and not patterns[0].startswith(".")
    return not hidden and fnmatchcase(names[0], patterns[0]) and _fits(patterns[1:], names[1:])


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
