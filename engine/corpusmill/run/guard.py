"""The guard around operator calls: one bad row goes to quarantine, its neighbours go on."""

from __future__ import annotations

import faulthandler
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import IO, Any

import numpy as np
import pyarrow as pa

from corpusmill.errors import CorpusmillError, OperatorError
from corpusmill.run.applied import Applied, set_column
from corpusmill.run.breadcrumb import OPERATOR, READ, Breadcrumb
from corpusmill.run.chunk import Chunk

CONSECUTIVE_FAILURES = 100
"""So many failing rows in a row mean that the operator is broken, not the documents."""
FIRST_ROWS = 10_000
"""More than half of these failing means the same."""

Apply = Callable[[Chunk], Applied]
Reject = Callable[[int, Chunk, str, str], None]


@dataclass
class _Health:
    seen: int = 0
    failed: int = 0
    streak: int = 0


@dataclass
class Guard:
    """Calls operators so that nothing they do to one row hurts another.

    `reject(step, one-row chunk, reason, detail)` quarantines. `excluded`: step -> {row: reason}, the rows that have
    died alone before and stay out. `before(step, chunk)` is asked before each call whether the chunk must be tried
    in a child first; it returns further rows to exclude.
    """

    names: list[str]
    reject: Reject
    crumb: Breadcrumb | None = None
    deadline: float | None = None
    excluded: dict[int, dict[int, str]] = field(default_factory=dict)
    before: Callable[[int, Chunk], dict[int, str]] | None = None
    _health: dict[int, _Health] = field(default_factory=dict)
    _trace: IO[str] | None = None

    def call(self, step: int, chunk: Chunk, apply: Apply, *, exact: bool = True) -> Iterator[Applied]:
        """Yield what the operator made of the chunk: at once, or in halves around the rows that fail."""
        if self.before is not None:
            self.excluded.setdefault(step, {}).update(self.before(step, chunk))
        chunk, dead = self._without_excluded(step, chunk)
        if dead is not None:
            yield from dead
        if len(chunk) == 0:
            return
        if exact:
            yield from self._halve(step, chunk, apply)
        else:
            yield from self._whole(step, chunk, apply)

    def _halve(self, step: int, chunk: Chunk, apply: Apply) -> Iterator[Applied]:
        try:
            applied = self._timed(step, chunk, apply)
        except CorpusmillError:
            raise
        except (Exception, SystemExit) as error:
            if len(chunk) == 1:
                yield self._quarantine(step, chunk, _reason(error), str(error))
                return
            middle = len(chunk) // 2
            yield from self._halve(step, chunk.slice(0, middle), apply)
            yield from self._halve(step, chunk.slice(middle, len(chunk)), apply)
            return
        self._healthy(step, len(chunk))
        yield applied

    def _whole(self, step: int, chunk: Chunk, apply: Apply) -> Iterator[Applied]:
        """For inexact operators: find the failing rows, empty their text, run the batch whole, drop them after."""
        try:
            applied = self._timed(step, chunk, apply)
        except CorpusmillError:
            raise
        except (Exception, SystemExit):
            bad = [row for row in range(len(chunk)) if not self._works(step, chunk.slice(row, row + 1), apply)]
            mask = np.ones(len(chunk), bool)
            mask[bad] = False
            emptied = _empty_texts(chunk, mask)
            applied = self._timed(step, emptied, apply)
            yield Applied(applied.kept.keep(mask), int(mask.sum()))
            return
        self._healthy(step, len(chunk))
        yield applied

    def _works(self, step: int, row: Chunk, apply: Apply) -> bool:
        return all(applied.given for applied in self._halve(step, row, apply))

    def _timed(self, step: int, chunk: Chunk, apply: Apply) -> Applied:
        """Run one call with a breadcrumb and a deadline that fires even while a C loop holds the interpreter."""
        if self.crumb is not None:
            self.crumb.put(OPERATOR, step, int(chunk.rows[0]), int(chunk.rows[-1]))
        if self.deadline is not None:
            faulthandler.dump_traceback_later(self.deadline, exit=True, file=self._nowhere())
        try:
            return apply(chunk)
        finally:
            if self.deadline is not None:
                faulthandler.cancel_dump_traceback_later()
            if self.crumb is not None:
                self.crumb.put(READ)

    def _quarantine(self, step: int, row: Chunk, reason: str, detail: str) -> Applied:
        self.reject(step, row, reason, detail)
        health = self._health.setdefault(step, _Health())
        health.seen += 1
        health.failed += 1
        health.streak += 1
        if health.streak >= CONSECUTIVE_FAILURES or (health.seen <= FIRST_ROWS and health.failed > FIRST_ROWS // 2):
            raise OperatorError(
                f"{self.names[step]} failed on {health.failed} of {health.seen} documents, "
                f"{health.streak} in a row; the last: {reason}: {detail}",
                where=f"document {_id(row)}",
                expected="an operator that fails on few documents; these look like a fault of the operator",
                hint=f"corpusmill plugins show {self.names[step]}",
            )
        return Applied(row.slice(0, 0), 0)

    def _healthy(self, step: int, rows: int) -> None:
        health = self._health.setdefault(step, _Health())
        health.seen += rows
        health.streak = 0

    def _without_excluded(self, step: int, chunk: Chunk) -> tuple[Chunk, list[Applied] | None]:
        excluded = self.excluded.get(step)
        if not excluded:
            return chunk, None
        mask = ~np.isin(chunk.rows, np.array(sorted(excluded), np.int64))
        if mask.all():
            return chunk, None
        applied = []
        for row in np.flatnonzero(~mask):
            one = chunk.slice(int(row), int(row) + 1)
            self.reject(step, one, excluded[int(one.rows[0])], "")
            applied.append(Applied(one.slice(0, 0), 0))
        return chunk.keep(mask), applied

    def _nowhere(self) -> IO[str]:
        # The traceback of a timed-out call goes to no terminal; the crumb says all that is reported.
        if self._trace is None:
            self._trace = open(os.devnull, "w")  # noqa: SIM115, PTH123 - lives as long as the process
        return self._trace


def _reason(error: BaseException) -> str:
    return f"raised {type(error).__name__}"


def _id(row: Chunk) -> Any:
    index = row.batch.schema.get_field_index("id")
    return row.batch.column(index)[0].as_py() if index >= 0 else int(row.rows[0])


def _empty_texts(chunk: Chunk, keep: Any) -> Chunk:
    index = chunk.batch.schema.get_field_index("text")
    texts = [text if ok else "" for text, ok in zip(chunk.batch.column(index).to_pylist(), keep, strict=True)]
    return chunk.with_batch(set_column(chunk.batch, "text", pa.array(texts, pa.large_string())))
