"""The rows of one file of an export on their way to its encoder: without those left out, each batch in time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa

from corpusmill.runner.breadcrumb import OPERATOR, READ, Breadcrumb
from corpusmill.runner.deadline import patient, start_deadline, stop_deadline


class FileRows:
    """Batches to encode, once. Between two of them the encoder is at work: then it may be late, and a death is its own.

    `without`: numbers of the rows that are left out, ascending. `seconds`: the deadline of the step, of which one
    batch may take several, for an encoder may gather many before it writes them. `blamed`: whether a death is told as
    one of the rows seen so far, so that these are tried one by one.
    """

    def __init__(
        self,
        batches: Iterable[pa.RecordBatch],
        crumb: Breadcrumb,
        seconds: float | None,
        without: Sequence[int] = (),
        *,
        blamed: bool = True,
    ):
        self._batches, self._crumb, self._seconds = iter(batches), crumb, patient(seconds)
        self._without, self._blamed = np.asarray(without, np.int64), blamed
        self._seen = 0
        self.rows = 0
        """Rows that were handed over."""
        self.exhausted = False
        """Whether these were all of them."""

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        while (batch := self._read()) is not None:
            self.rows += batch.num_rows
            self._encoder_works()
            yield batch
        self.exhausted = True
        self._encoder_works()

    def _read(self) -> pa.RecordBatch | None:
        """Return the next batch that has rows; reading takes what it takes."""
        if self._seconds is not None:
            stop_deadline()
        self._crumb.put(READ)
        for batch in self._batches:
            first, self._seen = self._seen, self._seen + batch.num_rows
            start, stop = np.searchsorted(self._without, [first, self._seen])
            if start < stop:
                mask = np.ones(batch.num_rows, bool)
                mask[self._without[start:stop] - first] = False
                batch = batch.filter(pa.array(mask))
            if batch.num_rows:
                return batch
        return None

    def _encoder_works(self) -> None:
        if self._blamed and self._seen:
            self._crumb.put(OPERATOR, 0, 0, self._seen - 1)
        else:
            self._crumb.put(OPERATOR)
        start_deadline(self._seconds)
