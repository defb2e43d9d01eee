"""Every error that corpusmill raises on purpose, drawn as a tree.

CorpusmillError             anything expected; the command line prints it without a traceback
├── SpecError               the spec is wrong: carries every problem found, exit code 2
├── UsageError              the command line or an API call is wrong, exit code 2
├── PluginError             a plugin or operator cannot be found, imported or used, exit code 2
├── OperatorError           an operator raised, died or broke its contract on a document
├── InputError              input files are missing, damaged or changed while they were read
│   ├── CorruptFile         one file is damaged; raised by readers
│   └── DamagedFiles        the damaged files of a run's inputs, all of them
├── StoreError              the store cannot be read or written (disk full, permission, lost file)
│   ├── LostFile            a file that a commit or a manifest names is gone
│   ├── ChecksumError       stored bytes differ from what their commit recorded
│   └── NotDeterministicError  the same work gave other bytes the second time
├── ExecutorError           workers cannot be started or keep dying for reasons outside any document
├── BadRecordLimit          more bad records than the spec allows, exit code 3
├── RunLocked               another run holds the lease
└── Interrupted             stopped on request; the same command resumes, exit code 130
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any


class CorpusmillError(Exception):
    """An expected failure, told in four parts.

    `what` was wrong with which value, `where` it stands, what was `expected`, and the `hint`: the next command
    to type or change to make. The parts stay attributes; `str()` joins them, one a line.
    """

    exit_code = 1

    def __init__(self, what: str, *, where: str | None = None, expected: str | None = None, hint: str | None = None):
        super().__init__(what, where, expected, hint)
        self.what, self.where, self.expected, self.hint = what, where, expected, hint

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.__dict__.copy())

    def __str__(self) -> str:
        lines = [self.what]
        if self.where:
            lines.append(f"  at: {self.where}")
        if self.expected:
            lines.append(f"  expected: {self.expected}")
        if self.hint:
            lines.append(f"  next: {self.hint}")
        return "\n".join(lines)


def _rebuild(kind: type[CorpusmillError], state: dict[str, Any]) -> CorpusmillError:
    """Unpickle an error whatever its constructor takes: errors cross process borders."""
    error = kind.__new__(kind)
    error.__dict__.update(state)
    return error


class SpecError(CorpusmillError):
    """The spec is wrong; `problems` holds all of them, each with its place."""

    exit_code = 2

    def __init__(self, problems: Iterable[Any]):
        self.problems = list(problems)
        super().__init__("\n\n".join(str(problem) for problem in self.problems))


class UsageError(CorpusmillError):
    """The command line or an API call is wrong."""

    exit_code = 2


class PluginError(CorpusmillError):
    """A plugin or operator cannot be found, imported or used."""

    exit_code = 2


class OperatorError(CorpusmillError):
    """An operator raised or broke its contract; names the operator, the step and the document."""


class InputError(CorpusmillError):
    """Input files are missing, damaged, or changed while they were read."""


class CorruptFile(InputError):
    """One input file is damaged at `offset` (bytes in the stored file, or None when unknown).

    `limit`: the key of `limits` that a file goes beyond, which is whole otherwise; raising it lets the file be read.
    """

    def __init__(self, name: str, reason: str, *, offset: int | None = None, limit: str | None = None):
        self.name, self.reason, self.offset, self.limit = name, reason, offset, limit
        place = name if offset is None else f"{name}, byte {offset}"
        super().__init__(f"{reason}: {name!r}", where=place)


class DamagedFiles(InputError):
    """Input files are damaged. `damaged`: each with its step, file, reason and offset (bytes, or None)."""

    def __init__(self, damaged: list[dict[str, Any]]):
        self.damaged = sorted(damaged, key=lambda one: (str(one["step"]), str(one["file"])))
        steps = list(dict.fromkeys(str(one["step"]) for one in damaged))
        super().__init__(
            damage_text(self.damaged),
            where=f"step{'s' if len(steps) > 1 else ''} {', '.join(steps)}",
            expected="whole files; nothing was published",
            hint="replace the files, or set `limits: {on_corrupt_file: quarantine}` to go on without them",
        )


def damage_text(damaged: list[dict[str, Any]]) -> str:
    """Return how many files are damaged, and each of them on a line with the reason and where."""
    several = len({one["step"] for one in damaged}) > 1
    lines = []
    for one in damaged:
        name = f"{one['step']}: {one['file']}" if several else one["file"]
        lines.append(f"    {name}: {one['reason']}" + ("" if one["offset"] is None else f" (byte {one['offset']})"))
    return f"{len(damaged)} damaged input file{'s' if len(damaged) > 1 else ''}:\n" + "\n".join(lines)


class StoreError(CorpusmillError):
    """The store cannot be read or written."""


class LostFile(StoreError):
    """A file that a commit or a manifest names is gone."""


class ChecksumError(StoreError):
    """Stored bytes differ from what their commit recorded."""


class NotDeterministicError(StoreError):
    """The same unit of work gave other bytes the second time."""


class ExecutorError(CorpusmillError):
    """Workers cannot be started, or die for reasons outside any document."""


class BadRecordLimit(CorpusmillError):
    """More records went to quarantine than the spec's limits allow."""

    exit_code = 3


class RunLocked(CorpusmillError):
    """Another run of the same pipeline holds the lease."""


class Interrupted(CorpusmillError):
    """Stopped on request; what was committed is kept and the same command resumes."""

    exit_code = 130


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name closest to a misspelt one, or None."""
    matches = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return matches[0] if matches else None
