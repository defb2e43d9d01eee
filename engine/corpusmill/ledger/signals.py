"""What the steps of one shard measured: a histogram of each signal, and the values themselves where they are kept."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpusmill.dataset.canonical import canonical_batch
from corpusmill.errors import OperatorError
from corpusmill.ledger.histogram import Histogram, bin_edges

Signals = Mapping[str, npt.NDArray[np.float64]]

VALUE_COLUMNS = pa.schema([("row", pa.int64()), ("id", pa.string())])
"""First columns of a file of kept values: input row of the shard and the document's id; one float64 a signal follows,
in alphabetical order, null where nothing was measured."""


class StepSignals:
    """Collects what one step measured, batch by batch; what comes out does not show the batches.

    `rules`: (signal, side, threshold, reason) of the step's rules in order. `keep`: values are kept, too.
    """

    def __init__(self, rules: Sequence[tuple[str, str, float, str]] = (), *, keep: bool = False) -> None:
        self._rules, self._keep = rules, keep
        self._histograms: dict[str, Histogram] = {}
        self._kept: list[pa.Table] = []

    def add(self, signals: Signals, batch: pa.RecordBatch, rows: npt.NDArray[np.int64]) -> None:
        """Take the signals (float64, one value a row) of a batch whose rows have these numbers in the shard."""
        for name, values in signals.items():
            if name not in self._histograms:
                self._histograms[name] = Histogram()
            self._histograms[name].add(values)
        if self._keep:
            self._kept.append(_values(signals, batch, rows))

    def to_json(self) -> dict[str, Any]:
        """Return what the commit record holds: histograms by signal, and the rules they are held against.

        A rule without a number (`language in [en, zh]`) has no place among measured values and is left out.
        """
        rules = [
            [signal, side, _finite(threshold), name]
            for signal, side, threshold, name in self._rules
            if signal in self._histograms and not math.isnan(threshold)
        ]
        return {"rules": rules, "signals": {name: one.to_json() for name, one in self._histograms.items()}}

    def table(self) -> pa.Table | None:
        """Return the kept values, one row a judged document in input order; None where none are kept."""
        if not self._kept:
            return None
        joined = pa.concat_tables(self._kept, promote_options="default").combine_chunks()
        joined = joined.select([*VALUE_COLUMNS.names, *sorted(set(joined.column_names) - set(VALUE_COLUMNS.names))])
        return pa.Table.from_batches([canonical_batch(joined.to_batches())])


def merge_signals(records: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the sum over shards of what `StepSignals.to_json` gave for one step, edges told for people and tools.

    A signal has `rows`, `missing`, `least`, `largest` and `bins`, a list of [low, high, values]: from low to below
    high (mirrored below zero), null for the open ends. `rules`: signal, side (`least`: a value below the threshold
    fails; `most`: above), threshold, reason.
    """
    totals: dict[str, Histogram] = {}
    rules: list[list[Any]] = []
    for record in records:
        rules = rules or record["rules"]
        for name, one in record["signals"].items():
            totals.setdefault(name, Histogram()).merge(Histogram.from_json(one))
    first = [rule[0] for rule in rules]
    names = sorted(totals, key=lambda name: (first.index(name) if name in first else len(first), name))
    return {
        "rules": [dict(zip(("signal", "side", "threshold", "reason"), rule, strict=True)) for rule in rules],
        "signals": {name: _told(totals[name]) for name in names},
    }


def _told(histogram: Histogram) -> dict[str, Any]:
    bins = [[*map(_finite, bin_edges(place)), rows] for place, rows in histogram.bins.items()]
    ends = (histogram.least, histogram.largest) if bins else (None, None)
    least, largest = (_finite(one) for one in ends)
    return {"rows": histogram.rows, "missing": histogram.missing, "least": least, "largest": largest, "bins": bins}


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _values(signals: Signals, batch: pa.RecordBatch, rows: npt.NDArray[np.int64]) -> pa.Table:
    index = batch.schema.get_field_index("id")
    ids = pa.nulls(batch.num_rows, pa.string()) if index < 0 else batch.column(index).cast(pa.string())
    columns: dict[str, Any] = {"row": pa.array(rows), "id": ids}
    if taken := columns.keys() & signals.keys():
        raise OperatorError(
            f"signals are kept, but one is called {min(taken)!r}",
            expected="signals called anything but row and id, which say whose values these are",
        )
    # The operator may use its buffer again for the next batch: the values are copied.
    columns |= {name: pa.array(one.copy(), mask=np.isnan(one)) for name, one in signals.items()}
    return pa.table(columns)
