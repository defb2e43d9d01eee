"""Collecting the sketches of a shard's batches into sketch files whose bytes do not depend on the batches."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from corpusmill.errors import OperatorError
from corpusmill.exchange.column_file import write_columns

if TYPE_CHECKING:
    from corpusmill.plugin.dedup_kind import Sketch

_MOST_ROWS = 2**32


class SketchWriter:
    """Takes the sketches of one part in row order; writes a key file and, when there is any, a row-data file.

    Key file: `key` uint64 (and `key_low` uint64 for 128-bit keys), `row` uint32, sorted by (key, row), distinct.
    Row-data file, one row a document: `rank` float64, `evidence` (rows, k). `operator` names the deduplicator in
    errors.
    """

    def __init__(self, operator: str = "dedup") -> None:
        self._operator = operator
        self._rows = 0
        self._ranked: bool | None = None
        self._keys: list[npt.NDArray[np.uint64]] = []
        self._key_rows: list[npt.NDArray[np.int64]] = []
        self._ranks: list[tuple[int, npt.NDArray[np.float64] | None]] = []
        self._evidence: list[tuple[int, npt.NDArray[Any] | None]] = []

    def add(self, sketch: Sketch, row_count: int, rank: npt.NDArray[np.float64] | None = None) -> None:
        """Add the sketch of the next `row_count` rows; raises OperatorError where it breaks the contract."""
        self._check(sketch, row_count, rank)
        if sketch.keys.size:
            self._keys.append(sketch.keys)
            self._key_rows.append(sketch.rows.astype(np.int64) + self._rows)
        if row_count:
            self._ranked = rank is not None
            self._ranks.append((row_count, rank))
            self._evidence.append((row_count, sketch.evidence))
        self._rows += row_count

    def skip(self, row_count: int) -> None:
        """Count rows of which nothing is known: they have no keys, so no other row is ever their duplicate."""
        if row_count:
            self._ranks.append((row_count, None))
            self._evidence.append((row_count, None))
        self._rows += row_count

    @property
    def rows(self) -> int:
        """Rows added so far."""
        return self._rows

    @property
    def has_rank(self) -> bool:
        """Whether rows carry a rank."""
        return bool(self._ranked)

    @property
    def has_row_data(self) -> bool:
        """Whether `write` makes a row-data file."""
        return self.has_rank or any(data is not None for _, data in self._evidence)

    def write(self, key_path: str | Path, row_path: str | Path) -> None:
        """Write the key file, and the row-data file when `has_row_data`."""
        if self._rows > _MOST_ROWS:
            raise OperatorError(f"a part of {self._rows} rows", where=self._operator, expected=f"at most {_MOST_ROWS}")
        parts, rows = self._sorted()
        columns: dict[str, npt.NDArray[Any]] = dict(zip(("key", "key_low"), parts, strict=False))
        write_columns(key_path, {**columns, "row": rows}, {"rows": str(self._rows)})
        if self.has_row_data:
            write_columns(row_path, self._row_data(), {"rows": str(self._rows)})

    def _sorted(self) -> tuple[list[npt.NDArray[np.uint64]], npt.NDArray[np.uint32]]:
        keys = np.concatenate(self._keys) if self._keys else np.empty(0, np.uint64)
        rows = np.concatenate(self._key_rows) if self._key_rows else np.empty(0, np.int64)
        parts = [keys] if keys.ndim == 1 else [np.ascontiguousarray(keys[:, index]) for index in range(2)]
        order = _key_order(parts, rows)
        parts, rows = [part[order] for part in parts], rows[order]
        repeated = np.zeros(rows.size, bool)
        repeated[1:] = np.logical_and.reduce([column[1:] == column[:-1] for column in [*parts, rows]])
        return [part[~repeated] for part in parts], rows[~repeated].astype(np.uint32)

    def _row_data(self) -> dict[str, npt.NDArray[Any]]:
        columns: dict[str, npt.NDArray[Any]] = {}
        if self.has_rank:
            ranks = [np.full(count, np.inf) if rank is None else rank for count, rank in self._ranks]
            # NaN would make the order of ranks partial: it ranks last, as infinity does
            columns["rank"] = np.nan_to_num(np.concatenate(ranks), nan=np.inf, posinf=np.inf, neginf=-np.inf)
        known = next((data for _, data in self._evidence if data is not None), None)
        if known is not None:
            blank = [np.zeros((count, known.shape[1]), known.dtype) if data is None else data
                     for count, data in self._evidence]  # fmt: skip
            columns["evidence"] = np.concatenate(blank)
        return columns

    def _check(self, sketch: Sketch, row_count: int, rank: npt.NDArray[np.float64] | None) -> None:
        keys, rows, evidence = sketch.keys, sketch.rows, sketch.evidence
        if keys.dtype != np.uint64 or not (keys.ndim == 1 or keys.shape[1:] == (2,)):
            raise self._broken(f"keys are {keys.dtype} {keys.shape}", "uint64 (n,) or (n, 2)")
        if self._keys and keys.size and keys.ndim != self._keys[0].ndim:
            raise self._broken("keys change their width between batches", "one width")
        if rows.shape != keys.shape[:1] or rows.dtype.kind not in "iu":
            raise self._broken(f"rows are {rows.dtype} {rows.shape}", f"integers {keys.shape[:1]}")
        if rows.size and (int(rows.min()) < 0 or int(rows.max()) >= row_count):
            raise self._broken(f"rows span {int(rows.min())} to {int(rows.max())}", f"0 to {row_count - 1}")
        if rank is not None and (rank.shape != (row_count,) or rank.dtype != np.float64):
            raise self._broken(f"ranks are {rank.dtype} {rank.shape}", f"float64 ({row_count},)")
        if row_count and self._ranked is not None and (rank is not None) != self._ranked:
            raise self._broken("some batches are ranked and some are not", "a rank for all batches or for none")
        if evidence is not None and (evidence.ndim != 2 or evidence.shape[0] != row_count or evidence.shape[1] < 1):
            raise self._broken(f"evidence is {evidence.shape}", f"({row_count}, k) with k >= 1")
        self._check_evidence_kind(evidence)

    def _check_evidence_kind(self, evidence: npt.NDArray[Any] | None) -> None:
        if evidence is None:
            return
        if evidence.dtype.kind not in "iuf" or evidence.dtype.itemsize > 8:
            raise self._broken(f"evidence is {evidence.dtype}", "integers or floats of at most 8 bytes")
        known = next((data for _, data in self._evidence if data is not None), evidence)
        if (known.dtype, known.shape[1]) != (evidence.dtype, evidence.shape[1]):
            raise self._broken("evidence changes its type or width between batches", "one type, one width")

    def _broken(self, what: str, expected: str) -> OperatorError:
        return OperatorError(f"the sketch breaks its contract: {what}", where=self._operator, expected=expected)


def _key_order(parts: list[npt.NDArray[np.uint64]], rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the order by (key, row): one unstable sort, then the few equal keys put right (faster than lexsort)."""
    high = parts[0]
    order: npt.NDArray[np.int64] = np.argsort(high)
    ranked = high[order]
    equal = ranked[1:] == ranked[:-1]
    tied = np.zeros(high.size, bool)
    tied[1:] |= equal
    tied[:-1] |= equal
    subset = order[tied]
    order[tied] = subset[np.lexsort([rows[subset], *(part[subset] for part in reversed(parts))])]
    return order
