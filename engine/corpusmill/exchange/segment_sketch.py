"""A part's segments on disk: their keys, sorted for the join, and beside them the row and the bytes each stands for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from corpusmill.errors import OperatorError
from corpusmill.exchange.column_file import read_columns, write_columns
from corpusmill.exchange.cut_text import utf8
from corpusmill.exchange.sketch_writer import SketchWriter
from corpusmill.plugin.dedup_kind import Sketch

if TYPE_CHECKING:
    import pyarrow as pa

_MOST_BYTES = 2**32
_CONTINUES = 0x80
"""The two high bits of a byte that is not the first of its character."""


class SegmentWriter:
    """Takes the segment sketches of one part in row order; its files do not depend on how rows came in batches.

    Segments are numbered 0.. by (row, start, stop, key). Key file and rank file are those of `SketchWriter` with that
    number for a row; the span file holds `row`, `start`, `stop`, uint32 each, by number. `operator` names the
    deduplicator in errors.
    """

    def __init__(self, operator: str = "dedup") -> None:
        self._operator = operator
        self._keys = SketchWriter(operator)
        self._columns: list[tuple[npt.NDArray[Any], ...]] = []
        self._rows = 0

    def add(self, sketch: Sketch, texts: pa.Array, rank: npt.NDArray[np.float64] | None = None) -> None:
        """Add the sketch of the next `len(texts)` rows; raises OperatorError where it breaks the contract."""
        data, offsets = utf8(texts)
        spans = self._checked(sketch, len(texts), rank)
        starts, stops, rows = spans[:, 0], spans[:, 1], sketch.rows.astype(np.int64)
        self._check_places(data, offsets, rows, starts, stops)
        order = _distinct_order(rows, starts, stops, sketch.keys[:, 0], sketch.keys[:, 1])
        rows, starts, stops = rows[order], starts[order], stops[order]
        numbers = np.arange(rows.size, dtype=np.int64)
        self._keys.add(Sketch(sketch.keys[order], numbers), rows.size, None if rank is None else rank[rows])
        self._columns.append((rows + self._rows, starts, stops))
        self._rows += len(texts)

    def skip(self, row_count: int) -> None:
        """Count rows of which nothing is known: no segment of theirs is ever cut, nor any other for theirs."""
        self._rows += row_count

    @property
    def segments(self) -> int:
        """Segments added so far."""
        return self._keys.rows

    @property
    def has_rank(self) -> bool:
        """Whether `write` makes a rank file."""
        return self._keys.has_row_data

    def write(self, key_path: str | Path, rank_path: str | Path, span_path: str | Path) -> None:
        """Write the key file, the span file and, when `has_rank`, the rank file."""
        self._keys.write(key_path, rank_path)
        columns = {
            name: np.concatenate([one[place] for one in self._columns] or [np.empty(0, np.int64)]).astype(np.uint32)
            for place, name in enumerate(("row", "start", "stop"))
        }
        write_columns(span_path, columns, {"rows": str(self._rows)})

    def _checked(self, sketch: Sketch, row_count: int, rank: npt.NDArray[np.float64] | None) -> npt.NDArray[np.int64]:
        """Return the spans of a sketch whose arrays have the right shapes and types."""
        keys, rows, spans = sketch.keys, sketch.rows, sketch.spans
        if keys.dtype != np.uint64 or keys.ndim != 2 or keys.shape[1] != 2:
            raise self._broken(f"keys are {keys.dtype} {keys.shape}", "uint64 (n, 2): equality alone decides")
        if rows.shape != keys.shape[:1] or rows.dtype.kind not in "iu":
            raise self._broken(f"rows are {rows.dtype} {rows.shape}", f"integers {keys.shape[:1]}")
        if rows.size and (int(rows.min()) < 0 or int(rows.max()) >= row_count):
            raise self._broken(f"rows span {int(rows.min())} to {int(rows.max())}", f"0 to {row_count - 1}")
        if spans is None or spans.shape != (rows.size, 2) or spans.dtype.kind not in "iu":
            found = "missing" if spans is None else f"{spans.dtype} {spans.shape}"
            raise self._broken(f"spans are {found}", f"integers {(rows.size, 2)}")
        if rank is not None and (rank.shape != (row_count,) or rank.dtype != np.float64):
            raise self._broken(f"ranks are {rank.dtype} {rank.shape}", f"float64 ({row_count},)")
        return spans.astype(np.int64)

    def _check_places(
        self,
        data: npt.NDArray[np.uint8],
        offsets: npt.NDArray[np.int64],
        rows: npt.NDArray[np.int64],
        starts: npt.NDArray[np.int64],
        stops: npt.NDArray[np.int64],
    ) -> None:
        lengths = offsets[rows + 1] - offsets[rows]
        wrong = (starts < 0) | (stops <= starts) | (stops > lengths) | (stops >= _MOST_BYTES)
        if not wrong.any():
            inner = stops < lengths
            torn = (data[offsets[rows] + starts] & 0xC0) == _CONTINUES
            torn[inner] |= (data[(offsets[rows] + stops)[inner]] & 0xC0) == _CONTINUES
            wrong = torn
        if wrong.any():
            at = int(np.flatnonzero(wrong)[0])
            raise self._broken(
                f"a segment at bytes {int(starts[at])} to {int(stops[at])} of a text of {int(lengths[at])}",
                "start below stop, inside the text, both between characters",
            )

    def _broken(self, what: str, expected: str) -> OperatorError:
        return OperatorError(f"the sketch breaks its contract: {what}", where=self._operator, expected=expected)


def _distinct_order(*columns: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return the order by all columns, without repeated rows: a segment given twice would repeat itself."""
    first, second = columns[:2]
    if ((first[1:] > first[:-1]) | ((first[1:] == first[:-1]) & (second[1:] > second[:-1]))).all():
        return np.arange(first.size)  # as most operators give them
    order: npt.NDArray[np.int64] = np.lexsort(columns[::-1])
    ordered = [column[order] for column in columns]
    new = np.ones(order.size, bool)
    new[1:] = np.logical_or.reduce([column[1:] != column[:-1] for column in ordered])
    return order[new]


@dataclass(frozen=True)
class Spans:
    """Where the segments of a part stand, by number: `row` uint32, `start` and `stop` uint32 in the row's UTF-8."""

    row: npt.NDArray[np.uint32]
    start: npt.NDArray[np.uint32]
    stop: npt.NDArray[np.uint32]

    @staticmethod
    def read(path: str | Path) -> Spans:
        """Map a span file; raises StoreError when it is missing or damaged."""
        columns, _ = read_columns(path)
        return Spans(columns["row"], columns["start"], columns["stop"])

    def take(self, numbers: npt.NDArray[np.int64]) -> Spans:
        """Return some segments, by number."""
        return Spans(self.row[numbers], self.start[numbers], self.stop[numbers])
