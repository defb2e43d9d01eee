"""A part's sketch on disk: keys found by range, rank and evidence found by row, all through memory maps."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from corpusmill.exchange.column_file import read_columns
from corpusmill.exchange.ranges import KEY_SPACE
from corpusmill.exchange.sketch_writer import SketchWriter

__all__ = ["KeySlice", "SketchFile", "SketchWriter"]


@dataclass(frozen=True)
class KeySlice:
    """The keys of one range, sorted by (key, row): `key` uint64 (n,), `key_low` the same or None, `row` uint32 (n,)."""

    key: npt.NDArray[np.uint64]
    key_low: npt.NDArray[np.uint64] | None
    row: npt.NDArray[np.uint32]


class SketchFile:
    """Read side of `SketchWriter`: `row_path` may be None where the writer had no row data.

    Raises StoreError when a file is missing or damaged.
    """

    def __init__(self, key_path: str | Path, row_path: str | Path | None = None) -> None:
        columns, metadata = read_columns(key_path)
        self._key, self._row = columns["key"], columns["row"]
        self._key_low = columns.get("key_low")
        self._row_path = row_path
        self.rows = int(metadata["rows"])

    @property
    def key_count(self) -> int:
        """Number of (key, row) entries."""
        return int(self._key.size)

    @property
    def is_wide(self) -> bool:
        """Whether keys have 128 bits."""
        return self._key_low is not None

    @property
    def key_bytes(self) -> int:
        """Bytes of the key file's columns; what `key_ranges` takes, summed over sketches."""
        return self.key_count * (12 if self._key_low is None else 20)

    @property
    def has_rank(self) -> bool:
        """Whether rows carry a rank."""
        return "rank" in self._row_data

    def positions(self, bounds: list[int]) -> npt.NDArray[np.int64]:
        """Return, for each key bound in 0..2**64, how many entries lie below it: int64 (len(bounds),)."""
        found = np.searchsorted(self._key, np.array([min(bound, KEY_SPACE - 1) for bound in bounds], np.uint64))
        beyond = np.array([bound >= KEY_SPACE for bound in bounds], bool)
        return np.where(beyond, self.key_count, found).astype(np.int64)

    def entries(self, start: int, stop: int) -> KeySlice:
        """Return the entries at positions `start` to `stop` as views."""
        low = None if self._key_low is None else self._key_low[start:stop]
        return KeySlice(self._key[start:stop], low, self._row[start:stop])

    def slice(self, low: int, high: int) -> KeySlice:
        """Return the entries whose (high) key is in [low, high) as views, by binary search."""
        start, stop = self.positions([low, high])
        return self.entries(int(start), int(stop))

    def rank(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Return float64 (n,), the rank of the given rows of this part; KeyError when the sketch has none."""
        values: npt.NDArray[np.float64] = self._row_data["rank"][rows]
        return values

    def evidence(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        """Return (n, k), the evidence of the given rows of this part; KeyError when the sketch has none."""
        return np.take(self._row_data["evidence"], rows, axis=0)

    @cached_property
    def _row_data(self) -> dict[str, npt.NDArray[Any]]:
        return {} if self._row_path is None else read_columns(self._row_path)[0]
