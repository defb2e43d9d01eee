"""Rewriting one part without its repeated segments: the texts, the documents that go, and an account of both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.dataset.part import PartWriter, write_table
from corpusmill.dataset.schema import SPLIT
from corpusmill.dataset.selection import write_selection
from corpusmill.dataset.store import Store
from corpusmill.errors import OperatorError
from corpusmill.exchange.cut_text import cut_texts
from corpusmill.exchange.segment_sketch import Spans
from corpusmill.ledger.counts import StepCounts
from corpusmill.ledger.removed import Ledger
from corpusmill.plugin.verdicts import Verdicts, at_least, decide
from corpusmill.runner.applied import set_column

CUTS = pa.schema([("id", pa.string()), ("start", pa.int64()), ("stop", pa.int64())])
"""The `cuts` output: each segment cut, by its document and its bytes in the text as it came, in order."""
_LEFT = "characters-left"
Measure = Callable[[pa.RecordBatch, pa.RecordBatch, npt.NDArray[np.int64]], Mapping[str, Any] | None]


@dataclass
class _Tally:
    documents: int = 0
    segments: int = 0
    bytes: int = 0


@dataclass
class CutPart:
    """Takes the batches of a part in order; `spans`: its repeats by (row, start), `mask`: bool (rows,), who is in.

    `measure`: takes documents before and after, and their rows; None where the part must be cut anew without some.

    Documents without repeats go through as they are. The result does not depend on the batches.
    """

    store: Store
    operator: Any
    spans: Spans
    mask: npt.NDArray[np.bool_]
    measure: Measure
    _ledger: Ledger = field(default_factory=Ledger)
    _counts: StepCounts = field(default_factory=StepCounts)
    _tally: _Tally = field(default_factory=_Tally)
    _splits: dict[str, int] = field(default_factory=dict)
    _first: int = 0

    def __post_init__(self) -> None:
        """Open the outputs that every part has; that of the rows waits for their schema."""
        self._cuts = PartWriter(self.store, CUTS)
        self._writer: PartWriter | None = None
        self._removed = np.zeros(len(self.mask), bool)

    def add(self, batch: pa.RecordBatch) -> None:
        """Cut the next rows of the part."""
        if self._writer is None:
            self._writer = PartWriter(self.store, batch.schema)
        first, stop = self._first, self._first + batch.num_rows
        self._first = stop
        start, end = np.searchsorted(self.spans.row, [first, stop])
        if start < end:
            batch = self._cut(batch, first, slice(int(start), int(end)))
        kept = batch.filter(pa.array((self.mask & ~self._removed)[first:stop]))
        self._counts.rows_in += int(self.mask[first:stop].sum())
        self._counts.rows_out += kept.num_rows
        self._count_splits(kept)
        self._writer.write(kept)

    def finish(self) -> dict[str, Any]:
        """Publish part, cuts, ledger and the selection of removed rows; return the record."""
        assert self._writer is not None  # a part without rows has no repeats, and is not cut
        self._counts.check(self.operator.context.step)
        ledger = self._ledger.table()
        return {
            "part": self._writer.finish().to_json(),
            "cuts": self._cuts.finish().to_json(),
            "removed": write_selection(self.store, self._removed).to_json() if self._removed.any() else None,
            "ledger": write_table(self.store, ledger).to_json() if ledger.num_rows else None,
            "counts": self._counts.to_json(),
            "cut": dict(vars(self._tally)),
            "splits": dict(sorted(self._splits.items())),
        }

    def abandon(self) -> None:
        """Throw away what was built."""
        for writer in (self._cuts, self._writer):
            if writer is not None:
                writer.abandon()

    def _cut(self, batch: pa.RecordBatch, first: int, taken: slice) -> pa.RecordBatch:
        """Return the batch with its repeats cut; note what went, and which rows do not stay."""
        rows = self.spans.row[taken].astype(np.int64) - first
        starts, stops = (one[taken].astype(np.int64) for one in (self.spans.start, self.spans.stop))
        changed, place = np.unique(rows, return_inverse=True)
        before = batch.take(pa.array(changed))
        texts = before.column(self.operator.column)
        cut = cut_texts(texts, place, starts, stops)
        column = pa.array(cut, pa.large_binary()).cast(texts.type)
        after = set_column(before, self.operator.column, column)
        signals = self.measure(before, after, changed + first)
        if signals is None:
            return batch
        self._note_cuts(before.column("id").take(pa.array(place)), starts, stops)
        self._tally.documents += len(changed)
        self._tally.bytes += int(pc.sum(pc.binary_length(texts)).as_py()) - sum(map(len, cut))
        gone = self._judge(before, after, signals, changed + first, np.bincount(place))
        self._removed[changed[gone] + first] = True
        self._counts.changed += int((~gone).sum())
        where = np.zeros(batch.num_rows, bool)
        where[changed] = True
        whole = pc.replace_with_mask(batch.column(self.operator.column), pa.array(where), column)
        return set_column(batch, self.operator.column, whole)

    def _note_cuts(self, ids: pa.Array, starts: npt.NDArray[np.int64], stops: npt.NDArray[np.int64]) -> None:
        self._tally.segments += len(starts)
        self._cuts.write(pa.record_batch([ids, pa.array(starts), pa.array(stops)], schema=CUTS))

    def _judge(
        self,
        before: pa.RecordBatch,
        after: pa.RecordBatch,
        signals: Mapping[str, Any],
        rows: npt.NDArray[np.int64],
        cuts: npt.NDArray[np.int64],
    ) -> npt.NDArray[np.bool_]:
        """Return bool (rows,): True where nothing is left or a rule of the operator fails, noted in the ledger."""
        verdicts = self._verdicts(after, signals)
        gone = ~verdicts.keep
        chosen = np.flatnonzero(gone)
        if chosen.size:
            rules = [verdicts.rules[verdicts.rule[row]] for row in chosen]
            thresholds = np.array([rule.threshold for rule in rules], np.float64)
            detail = [f"{cuts[row]} segment{'s' if cuts[row] > 1 else ''} cut" for row in chosen]
            names = [rule.name for rule in rules]
            self._ledger.add(
                before.take(pa.array(chosen)), rows[chosen], 0, names, verdicts.value[chosen], thresholds, detail
            )
            for name in names:
                self._counts.remove(name, 1)
        return gone

    def _verdicts(self, after: pa.RecordBatch, measured: Mapping[str, Any]) -> Verdicts:
        column = after.column(self.operator.column)
        left = pc.fill_null(pc.utf8_length(pc.utf8_trim_whitespace(column)), 0)
        signals = {_LEFT: left, **measured}
        rules = [at_least(_LEFT, 1, self.operator.reason), *self.operator.rules()]
        try:
            return decide(signals, rules, after.num_rows)
        except ValueError as error:
            raise OperatorError(f"a signal of measure_cut() is no number: {error}") from error

    def _count_splits(self, kept: pa.RecordBatch) -> None:
        index = kept.schema.get_field_index(SPLIT)
        for one in kept.column(index).value_counts().to_pylist() if index >= 0 else ():
            if one["values"] is not None:
                self._splits[one["values"]] = self._splits.get(one["values"], 0) + one["counts"]
