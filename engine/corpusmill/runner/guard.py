"""The guard around operator calls: one bad row goes to quarantine, its neighbours go on."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from corpusmill.errors import CorpusmillError, OperatorError
from corpusmill.plugin.surroundings import Surroundings
from corpusmill.runner.applied import Applied
from corpusmill.runner.breadcrumb import OPERATOR, READ, Breadcrumb
from corpusmill.runner.chunk import Chunk
from corpusmill.runner.deadline import deadline
from corpusmill.runner.emptied import applied_without, with_empty_texts

CONSECUTIVE_FAILURES = 100
"""So many failing rows in a row mean that the operator is broken, not the documents."""
FIRST_ROWS = 10_000
"""More than half of these failing means the same."""
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What the environment says, not an operator: no room on the disk, in a quota, or under a limit on file sizes."""

Apply = Callable[[Chunk], Applied]
Reject = Callable[[int, Chunk, str, str], None]


class PoolLost(CorpusmillError):
    """The actors that were to answer a call died, again and again: the unit ends as if its own worker had died."""


@dataclass
class _Health:
    seen: int = 0
    failed: int = 0
    streak: int = 0


@dataclass
class Guard:
    """Calls operators so that nothing they do to one row hurts another.

    `names`, `steps` and `homes`: what each step of the stage uses, its id, and where its class is from.
    `reject(step, one-row chunk, reason, detail)` quarantines. `deadlines`: of one call of each step, in seconds.
    `excluded`: step -> {row: reason}, the rows that have died alone before and stay out. `before(step, chunk)` is
    asked before each call whether the chunk must be tried in a child first; it returns further rows to exclude.
    Steps in `elsewhere` are calls to actors, which keep the deadline themselves.
    """

    names: list[str]
    reject: Reject
    crumb: Breadcrumb | None = None
    deadlines: Sequence[float | None] = ()
    excluded: dict[int, dict[int, str]] = field(default_factory=dict)
    before: Callable[[int, Chunk], dict[int, str]] | None = None
    steps: list[str] = field(default_factory=list)
    homes: list[str] = field(default_factory=list)
    elsewhere: frozenset[int] = frozenset()
    _health: dict[int, _Health] = field(default_factory=dict)
    _surroundings: Surroundings = field(default_factory=Surroundings)

    def call(self, step: int, chunk: Chunk, apply: Apply, *, exact: bool = True) -> Iterator[Applied]:
        """Yield what the operator made of the chunk: at once, or in halves around the rows that fail."""
        if self.before is not None:
            self.excluded.setdefault(step, {}).update(self.before(step, chunk))
        alive = self._reject_excluded(step, chunk)
        if not alive.any():
            return
        if exact:
            yield from self._halve(step, chunk.keep(alive), apply)
        else:
            yield self._whole(step, chunk, alive, apply)

    def _halve(self, step: int, chunk: Chunk, apply: Apply) -> Iterator[Applied]:
        error = self._try(step, chunk, apply)
        if isinstance(error, Applied):
            self._healthy(step, len(chunk))
            yield error
        elif len(chunk) == 1:
            self._quarantine(step, chunk, error)
        else:
            middle = len(chunk) // 2
            yield from self._halve(step, chunk.slice(0, middle), apply)
            yield from self._halve(step, chunk.slice(middle, len(chunk)), apply)

    def _whole(self, step: int, chunk: Chunk, alive: Any, apply: Apply) -> Applied:
        """For inexact operators: a row that fails or is excluded is emptied and its result dropped.

        Its neighbours' batch, on which their numbers depend in the last digits, stays as it was.
        """
        applied = self._try(step, with_empty_texts(chunk, alive), apply)
        if isinstance(applied, BaseException):
            cause = applied
            good = alive.copy()
            for row in np.flatnonzero(alive):
                good[row] = bool(list(self._halve(step, chunk.slice(int(row), int(row) + 1), apply)))
            applied = self._try(step, with_empty_texts(chunk, good), apply) if (good != alive).any() else cause
            alive = good
        if isinstance(applied, BaseException):
            raise OperatorError(
                f"{self.names[step]} raised {type(applied).__name__} on {len(chunk)} documents at once, "
                f"but on none of them alone: {applied}",
                where=self._place(step),
                expected="an operator that answers a batch as it answers its documents, empty texts included",
                hint=self._check(step),
            ) from applied
        self._healthy(step, int(alive.sum()))
        return applied if alive.all() else applied_without(applied, chunk.rows[~alive], int(alive.sum()))

    def _try(self, step: int, chunk: Chunk, apply: Apply) -> Applied | BaseException:
        """Return what the operator made of the chunk, or what it raised; raise what is no document's fault."""
        try:
            return self._timed(step, chunk, apply)
        except OperatorError as error:
            home = self.homes[step] if self.homes else ""
            error.where = error.where or self._place(step) + (f", {home}" if home else "")
            error.hint = error.hint or self._check(step)
            raise
        except (CorpusmillError, KeyboardInterrupt):
            raise
        except BaseException as error:  # panics of Rust extensions are no Exceptions
            if isinstance(error, OSError) and error.errno in DISK_FULL:
                raise
            return error

    def _timed(self, step: int, chunk: Chunk, apply: Apply) -> Applied:
        """Run one call with a breadcrumb and a deadline that fires even while a C loop holds the interpreter."""
        if self.crumb is not None:
            self.crumb.put(OPERATOR, step, int(chunk.rows.min()), int(chunk.rows.max()))
        lost = False
        try:
            with deadline(self._seconds(step)):
                return apply(chunk)
        except PoolLost:
            lost = True
            raise
        finally:
            if self.crumb is not None and not lost:
                self.crumb.put(READ)
            self._surroundings.restore()

    def _seconds(self, step: int) -> float | None:
        return self.deadlines[step] if step < len(self.deadlines) and step not in self.elsewhere else None

    def _quarantine(self, step: int, row: Chunk, error: BaseException) -> None:
        reason = f"raised {type(error).__name__}"
        self.reject(step, row, reason, str(error))
        self._failed(step, row, f"{reason}: {error}")

    def _failed(self, step: int, row: Chunk, last: str) -> None:
        """Count a failing row; raise OperatorError where there are too many in a row, or too many at first."""
        health = self._health.setdefault(step, _Health())
        health.seen += 1
        health.failed += 1
        health.streak += 1
        if health.streak >= CONSECUTIVE_FAILURES or (health.seen <= FIRST_ROWS and health.failed > FIRST_ROWS // 2):
            raise OperatorError(
                f"{self.names[step]} failed on {health.failed} of {health.seen} documents, "
                f"{health.streak} in a row; the last: {last}",
                where=f"{self._place(step)}, document {_id(row)}",
                expected="an operator that fails on few documents; these look like a fault of the operator",
                hint=self._check(step),
            )

    def _healthy(self, step: int, rows: int) -> None:
        health = self._health.setdefault(step, _Health())
        health.seen += rows
        health.streak = 0

    def _reject_excluded(self, step: int, chunk: Chunk) -> Any:
        """Quarantine the rows of the chunk that are excluded; return a mask of the others."""
        excluded = self.excluded.get(step)
        if not excluded:
            return np.ones(len(chunk), bool)
        alive = ~np.isin(chunk.rows, np.array(sorted(excluded), np.int64))
        for row in np.flatnonzero(~alive):
            if row and alive[row - 1]:
                self._healthy(step, 0)
            one = chunk.slice(int(row), int(row) + 1)
            reason = excluded[int(one.rows[0])]
            self.reject(step, one, reason, "")
            self._failed(step, one, reason)
        return alive

    def _check(self, step: int) -> str:
        return check_command(self.names[step], self.homes[step] if self.homes else "")

    def _place(self, step: int) -> str:
        return f"step {self.steps[step]} ({self.names[step]})" if self.steps else self.names[step]


def check_command(uses: str, home: str) -> str:
    """Return what holds an operator against its contract; `home`: its plugin file, or the module it is from."""
    return f"corpusmill plugins check {home if home.endswith('.py') else uses}"


def _id(row: Chunk) -> Any:
    index = row.batch.schema.get_field_index("id")
    return row.batch.column(index)[0].as_py() if index >= 0 else int(row.rows[0])
