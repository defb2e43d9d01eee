"""Comparing documents, two by two: of a pair that a deduplicator raises on or dies of, one is withheld, or both."""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from corpusmill.dataset.part import Part
from corpusmill.errors import CorpusmillError, OperatorError
from corpusmill.exchange.row_table import RowTable
from corpusmill.plugin.local import home_of
from corpusmill.runner.breadcrumb import OPERATOR, READ, Breadcrumb
from corpusmill.runner.chunk import Chunk
from corpusmill.runner.deadline import deadline, patient
from corpusmill.runner.document_rows import ids_of
from corpusmill.runner.guard import CONSECUTIVE_FAILURES, check_command
from corpusmill.runner.isolation import Isolation, Trial
from corpusmill.runner.paired import pair_batch, similarity
from corpusmill.runner.refusals import Refusals
from corpusmill.runner.whole_call import is_disk_full
from corpusmill.runner.workspace import Workspace

Rows = npt.NDArray[np.int64]

EVIDENCE_BLOCK = 1 << 16
"""Pairs whose evidence is in memory at a time."""
_TRIED = 1 << 10
"""Pairs that are tried at once in a process of their own."""


class Comparing:
    """Asks a deduplicator how alike documents are; what it cannot compare is found, withheld and told.

    A pair that it raises on, dies of or hangs at is found as the documents of a pass are: alone, twice, in fresh
    processes, while the others pass. Of its two documents that one is withheld that cannot be compared with itself
    either; both, if neither can; where both can, the later one by the order of the dataset. Pairs of a withheld
    document are not looked at any more: the step begins anew without it. `listed`: what the unit reads, with parts and
    bases.
    """

    def __init__(
        self,
        payload: Mapping[str, Any],
        workspace: Workspace,
        crumb: Breadcrumb,
        table: RowTable,
        listed: Mapping[str, Any],
    ):
        self._recipe, self._seconds = payload["operator"], payload["deadline"]
        self._suspects: Sequence[Sequence[int]] = payload.get("suspects") or ()
        self._operator = workspace.operator(self._recipe)
        self._workspace, self._crumb, self._table, self._listed = workspace, crumb, table, listed
        self._trial = Trial(workspace.settings)
        self._asked = self._streak = 0
        self._place = (-1, -1)
        self._withheld: dict[int, tuple[str, int, str]] = {}

    def __call__(self, left: Rows, right: Rows) -> npt.NDArray[np.float64]:
        """Return float64 (n,), how alike rows `left[i]` and `right[i]` of the dataset are; NaN where nobody can say."""
        values = np.empty(left.size, np.float64)
        for start in range(0, left.size, EVIDENCE_BLOCK):
            block = slice(start, start + EVIDENCE_BLOCK)
            values[block] = self._block(left[block], right[block])
        return values

    def told(self) -> dict[str, Any]:
        """Return what the unit's record says of withheld documents: nothing where there are none.

        `withheld`: [number of a part, file of its rows] of each part; `failed`: why, and how often.
        """
        if not self._withheld:
            return {}
        bases, parts = self._listed["bases"], [Part.from_json(one) for one in self._listed["parts"]]
        rows = np.array(sorted(self._withheld), np.int64)
        others = np.unique([self._withheld[int(row)][1] for row in rows])
        ids = ids_of(self._workspace.store, parts, bases, others.astype(np.int64))
        owners = np.searchsorted(np.array(bases, np.int64), rows, side="right") - 1
        files, reasons = [], Counter[str]()
        for owner in np.unique(owners):
            refusals = Refusals(self._workspace)
            for row in rows[owners == owner].tolist():
                reason, other, error = self._withheld[row]
                against = "compared with itself" if other == row else f"compared with {ids[other]}"
                refusals.add(row - bases[owner], reason, f"{against}: {error}" if error else against)
            told = refusals.told()
            files.append([int(owner), told["refused"]])
            reasons.update(told["failed"])
        return {"withheld": files, "failed": dict(sorted(reasons.items()))}

    def _block(self, left: Rows, right: Rows) -> npt.NDArray[np.float64]:
        """Compare the next pairs, numbered on from those before, so that another attempt knows them again."""
        first, self._asked = self._asked, self._asked + left.size
        self._place = (first, self._asked - 1)
        if any(first <= last and low < self._asked for _, low, last in self._suspects):
            self._isolate(left, right)
        return self._halve(left, right)

    def _halve(self, left: Rows, right: Rows) -> npt.NDArray[np.float64]:
        values = np.full(left.size, np.nan)
        alive = self.alive(left, right)
        left, right = left[alive], right[alive]
        if not left.size:
            return values
        answer = self._try(left, right)
        if not isinstance(answer, BaseException):
            self._streak = 0
            values[alive] = answer
        elif left.size == 1:
            both, reason = (int(left[0]), int(right[0])), f"raised {type(answer).__name__}"
            alone = [row for row in both if isinstance(self._try(*_itself(row)), BaseException)]
            self.withhold(*both, alone, reason, str(answer))
            self._expect_sound(*both, f"{reason}: {answer}")
        else:
            middle = left.size // 2
            halves = [self._halve(left[:middle], right[:middle]), self._halve(left[middle:], right[middle:])]
            values[alive] = np.concatenate(halves)
        return values

    def alive(self, left: Rows, right: Rows) -> npt.NDArray[np.bool_]:
        """Return bool (n,): whether neither document of each pair is withheld."""
        if not self._withheld:
            return np.ones(left.size, bool)
        withheld = np.array(sorted(self._withheld), np.int64)
        return ~(np.isin(left, withheld) | np.isin(right, withheld))

    def withhold(self, left: int, right: int, alone: Sequence[int], reason: str, error: str) -> None:
        """Withhold the documents of a pair that cannot be compared with themselves (`alone`), else the later one."""
        for row in alone or [max(left, right)]:
            self._withheld[row] = (reason, row if alone else min(left, right), error)

    def _expect_sound(self, left: int, right: int, last: str) -> None:
        """Count a pair that failed; raise OperatorError where one does after the other."""
        self._streak += 1
        if self._streak >= CONSECUTIVE_FAILURES:
            raise OperatorError(
                f"{self._recipe['uses']} failed on {self._streak} pairs of documents in a row; the last: {last}",
                where=f"step {self._recipe['step']} ({self._recipe['uses']}), {self.named(left, right)}",
                expected="an operator that fails on few documents; these look like a fault of the operator",
                hint=check_command(self._recipe["uses"], home_of(type(self._operator))),
            )

    def named(self, left: int, right: int) -> str:
        """Return the ids of both documents of a pair, in words."""
        parts = [Part.from_json(one) for one in self._listed["parts"]]
        rows = np.unique(np.array([left, right], np.int64))
        ids = ids_of(self._workspace.store, parts, self._listed["bases"], rows)
        return f"documents {ids[left]} and {ids[right]}"

    def chunk(self, left: Rows, right: Rows) -> Chunk:
        """Return pairs as rows that a process of its own can be asked about."""
        evidence = self._table.evidence(left), self._table.evidence(right)
        return Chunk(pair_batch(*evidence), np.arange(left.size, dtype=np.int64))

    def _isolate(self, left: Rows, right: Rows) -> None:
        recipe = {**self._recipe, "compare": self._table.evidence(left[:1]).dtype.str}
        home = home_of(type(self._operator))
        for start in range(0, left.size, _TRIED):
            some = slice(start, start + _TRIED)
            alive = self.alive(left[some], right[some])
            if alive.any():
                pairs = left[some][alive], right[some][alive]
                _PairIsolation(self, pairs, self._trial, recipe, self._crumb, self._seconds, home)()

    def _try(self, left: Rows, right: Rows) -> npt.NDArray[np.float64] | BaseException:
        """Return how alike documents are, or what the deduplicator raised; raise what is no document's fault."""
        evidence = self._table.evidence(left), self._table.evidence(right)
        self._crumb.put(OPERATOR, 0, *self._place)
        try:
            with deadline(patient(self._seconds)):
                return similarity(self._operator, *evidence)
        except OperatorError as error:
            error.where = error.where or f"step {self._recipe['step']} ({self._recipe['uses']})"
            error.hint = error.hint or check_command(self._recipe["uses"], home_of(type(self._operator)))
            raise
        except (CorpusmillError, KeyboardInterrupt):
            raise
        except BaseException as error:  # panics of Rust extensions are no Exceptions
            if is_disk_full(error):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
            return error
        finally:
            self._crumb.put(READ)


class _PairIsolation(Isolation):
    """Tries pairs in children of a clean template process; what dies costs a document, and all pairs that it is in."""

    def __init__(
        self,
        comparing: Comparing,
        pairs: tuple[Rows, Rows],
        trial: Trial,
        recipe: Mapping[str, Any],
        crumb: Breadcrumb,
        seconds: float | None,
        home: str,
    ):
        super().__init__([[0, 0, len(pairs[0])]], trial, [recipe], crumb, [seconds], [home], wide=True)
        self._comparing, self._pairs = comparing, pairs

    def __call__(self, step: int = 0, chunk: Chunk | None = None) -> dict[int, str]:
        """Withhold a document of each pair that dies."""
        return super().__call__(step, chunk or self._comparing.chunk(*self._pairs))

    def _named(self, row: Chunk) -> str:
        (position,) = row.rows.tolist()
        return self._comparing.named(*(int(side[position]) for side in self._pairs))

    def _without(self, recipe: Any, remaining: Any, position: int, how: str) -> tuple[Any, int]:
        left, right = (side[remaining] for side in self._pairs)
        both = (int(left[position]), int(right[position]))
        alone = [row for row in both if self._alone(recipe, self._comparing.chunk(*_itself(row))) is not None]
        self._comparing.withhold(*both, alone, how, "")
        alive = self._comparing.alive(left, right)
        return remaining[alive], int(alive[:position].sum())


def _itself(row: int) -> tuple[Rows, Rows]:
    """Return the pair of a document with itself."""
    return np.array([row], np.int64), np.array([row], np.int64)
