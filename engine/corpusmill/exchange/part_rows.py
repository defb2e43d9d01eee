"""Rank and evidence of one part's rows, opened when they are first asked for, mapped or fetched in ranges."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from corpusmill.exchange.column_file import read_columns


class Columns(Protocol):
    """The columns of a row-data file, read by row number."""

    @property
    def names(self) -> set[str]:
        """Names of the columns."""

    def take(self, name: str, rows: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        """Return the values of rows in any order, repeats allowed: (n,) or (n, k)."""


class MappedColumns:
    """Columns through a memory map."""

    def __init__(self, path: Path):
        self._columns, _ = read_columns(path)

    @property
    def names(self) -> set[str]:
        """Names of the columns."""
        return set(self._columns)

    def take(self, name: str, rows: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        """Return the values of rows in any order, repeats allowed: (n,) or (n, k)."""
        return np.take(self._columns[name], rows, axis=0)


class PartRows:
    """What a `RowTable` asks of a part's sketch, without its keys: `rows`, rank and evidence.

    `opened` gives the columns, None where the sketch has no row data; `ranked` says whether they hold ranks, None
    where only a look can tell.
    """

    def __init__(self, rows: int, opened: Callable[[], Columns] | None, ranked: bool | None = None):
        self.rows, self._opened, self._ranked = rows, opened, ranked

    @property
    def has_rank(self) -> bool:
        """Whether rows carry a rank."""
        if self._ranked is not None:
            return self._ranked
        return self._columns is not None and "rank" in self._columns.names

    def rank(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Return float64 (n,), the rank of the given rows; KeyError when there is none."""
        return self._take("rank", rows)

    def evidence(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        """Return (n, k), the evidence of the given rows; KeyError when there is none."""
        return self._take("evidence", rows)

    def _take(self, name: str, rows: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        if self._columns is None:
            raise KeyError(name)
        return self._columns.take(name, rows)

    @cached_property
    def _columns(self) -> Columns | None:
        return None if self._opened is None else self._opened()
