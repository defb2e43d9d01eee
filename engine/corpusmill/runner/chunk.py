"""Chunks: rows on their way through a pass, each with its row number in the shard."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpusmill.dataset.canonical import row_sizes

Measured = Mapping[int, Mapping[str, npt.NDArray[np.float64]]]


@dataclass(frozen=True)
class Chunk:
    """A batch and the shard's row number of each of its rows (int64); derived rows carry their parent's.

    `measured`: number of a measurement that a later step wants -> its signals, float64 (rows,).
    """

    batch: pa.RecordBatch
    rows: npt.NDArray[np.int64]
    measured: Measured = field(default_factory=dict)

    def __len__(self) -> int:
        return int(self.batch.num_rows)

    def slice(self, start: int, stop: int) -> Chunk:
        """Return rows [start, stop)."""
        return Chunk(self.batch.slice(start, stop - start), self.rows[start:stop], self._measured(slice(start, stop)))

    def keep(self, mask: npt.NDArray[np.bool_]) -> Chunk:
        """Return the rows where the mask is True."""
        if mask.all():
            return self
        return Chunk(self.batch.filter(pa.array(mask)), self.rows[mask], self._measured(mask))

    def with_batch(self, batch: pa.RecordBatch) -> Chunk:
        """Return other columns for the same rows."""
        return Chunk(batch, self.rows, self.measured)

    def with_measured(self, measured: Measured) -> Chunk:
        """Return the same rows with other measurements at hand."""
        return replace(self, measured=measured)

    def _measured(self, rows: Any) -> Measured:
        if not self.measured:
            return self.measured
        return {number: {name: one[rows] for name, one in held.items()} for number, held in self.measured.items()}


def gathered(batches: Iterable[pa.RecordBatch], max_bytes: int) -> Iterator[pa.RecordBatch]:
    """Join small batches of one schema, in order, up to `max_bytes`.

    A call of an operator costs a millisecond or two whatever its batch holds: with files of 50 kB that was more than
    the work itself.
    """
    pending: list[pa.RecordBatch] = []
    size = 0
    for batch in batches:
        if pending and size + batch.nbytes > max_bytes:
            yield _whole(pending)
            pending, size = [], 0
        pending.append(batch)
        size += batch.nbytes
    if pending:
        yield _whole(pending)


def _whole(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    """Return batches as one; arrow would copy a single one, too."""
    return batches[0] if len(batches) == 1 else pa.concat_batches(batches)


def numbered(batches: Iterable[pa.RecordBatch], max_bytes: int) -> Iterator[Chunk]:
    """Number rows from 0 and bound chunks by bytes; a single larger row is a chunk of its own."""
    first = 0
    for batch in batches:
        if batch.num_rows > 0 and batch.nbytes <= max_bytes:
            yield Chunk(batch, np.arange(first, first + batch.num_rows, dtype=np.int64))
            first += batch.num_rows
            continue
        ends = np.cumsum(row_sizes(batch))
        start = 0
        while start < batch.num_rows:
            before = int(ends[start - 1]) if start else 0
            stop = max(start + 1, int(np.searchsorted(ends, before + max_bytes, side="right")))
            yield Chunk(batch.slice(start, stop - start), np.arange(first + start, first + stop, dtype=np.int64))
            start = stop
        first += batch.num_rows


def fixed_rows(chunks: Iterable[Chunk], count: int) -> Iterator[Chunk]:
    """Re-cut a stream at every `count` rows from its start: batches of inexact operators must not depend on layout."""
    pending: list[Chunk] = []
    size = 0
    for chunk in chunks:
        start = 0
        while size + len(chunk) - start >= count:
            stop = start + count - size
            yield _join([*pending, chunk.slice(start, stop)])
            pending, size, start = [], 0, stop
        if start < len(chunk):
            pending.append(chunk.slice(start, len(chunk)))
            size += len(chunk) - start
    if pending:
        yield _join(pending)


def _join(chunks: list[Chunk]) -> Chunk:
    if len(chunks) == 1:
        return chunks[0]
    batch = pa.concat_batches([chunk.batch for chunk in chunks])
    return Chunk(batch, np.concatenate([chunk.rows for chunk in chunks]))
