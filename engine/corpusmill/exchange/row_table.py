"""Rank and evidence of rows by their number in the whole dataset, wherever their sketch lies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt


class RowSource(Protocol):
    """The rows of one part: a sketch file, or its row data alone."""

    rows: int

    @property
    def has_rank(self) -> bool:
        """Whether rows carry a rank."""

    def rank(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Return float64 (n,), the rank of rows of this part."""

    def evidence(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        """Return (n, k), the evidence of rows of this part."""


class RowTable:
    """Sketches numbered densely: row `r` of sketch `i` is row `bases[i] + r`, int64, bases ascending.

    Rows below `preferred` rank before all others (an earlier corpus, in `against:`); among themselves by number.
    """

    def __init__(self, sketches: Sequence[RowSource], bases: Sequence[int], preferred: int = 0) -> None:
        ends = [base + sketch.rows for base, sketch in zip(bases, sketches, strict=True)]
        if any(end > base for end, base in zip(ends, bases[1:], strict=False)):
            raise ValueError(f"sketches overlap: bases {list(bases)[:8]!r}, ends {ends[:8]!r}")
        self.sketches = sketches
        self.bases = np.array(bases, np.int64)
        self.preferred = preferred

    @property
    def total(self) -> int:
        """One more than the largest row number."""
        return int(self.bases[-1]) + self.sketches[-1].rows if self.sketches else 0

    @cached_property
    def has_rank(self) -> bool:
        """Whether any row carries a rank; without one, input order ranks (and puts preferred rows first by itself)."""
        return any(sketch.has_rank for sketch in self.sketches)

    def rank(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Return float64 (n,), lower is better; ties go to the lower row number."""
        ranks = np.zeros(rows.size, np.float64)
        for sketch, where, local in self._by_sketch(rows):
            ranks[where] = sketch.rank(local) if sketch.has_rank else 0.0
        ranks[rows < self.preferred] = -np.inf
        return ranks

    def evidence(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        """Return (n, k), the evidence of rows in any order; repeated rows are allowed."""
        gathered: npt.NDArray[Any] | None = None
        for sketch, where, local in self._by_sketch(rows):
            values = sketch.evidence(local)
            if gathered is None:
                gathered = np.empty((rows.size, values.shape[1]), values.dtype)
            gathered[where] = values
        return np.empty((0, 0)) if gathered is None else gathered

    def _by_sketch(
        self, rows: npt.NDArray[np.int64]
    ) -> Iterator[tuple[RowSource, npt.NDArray[np.int64] | slice, npt.NDArray[np.int64]]]:
        """Yield each sketch that holds some of `rows`, where in `rows` they stand, and their numbers in the sketch."""
        if rows.size and (int(rows.min()) < 0 or int(rows.max()) >= self.total):
            raise IndexError(f"rows {int(rows.min())} to {int(rows.max())} of {self.total}")
        if len(self.sketches) == 1 and rows.size:
            yield self.sketches[0], slice(None), rows - self.bases[0]
            return
        owner = np.searchsorted(self.bases, rows, side="right") - 1
        order = np.argsort(owner, kind="stable")
        owners, starts = np.unique(owner[order], return_index=True)
        for index, where in zip(owners, np.split(order, starts[1:]), strict=True) if rows.size else ():
            yield self.sketches[index], where, rows[where] - self.bases[index]
