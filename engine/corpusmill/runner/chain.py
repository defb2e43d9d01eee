"""A chain of row-wise operators over the rows of one shard, with everything that happened written down."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from corpusmill.errors import OperatorError
from corpusmill.ledger.counts import StepCounts
from corpusmill.ledger.quarantine import KEPT, Quarantine
from corpusmill.ledger.removed import Ledger
from corpusmill.ledger.signals import StepSignals
from corpusmill.plugin.local import home_of
from corpusmill.plugin.verdicts import Verdicts
from corpusmill.runner.applied import APPLY, Applied, apply_filter
from corpusmill.runner.chunk import Chunk, fixed_rows
from corpusmill.runner.guard import Guard
from corpusmill.runner.measurements import Shared, shared_measurements

INEXACT_ROWS = 64
"""Rows a batch of an inexact operator holds, counted from the first row the operator sees in the shard."""

Removed = Callable[[int, pa.RecordBatch], None]


class Chain:
    """Runs operators one after the other, lazily: a chunk is judged, recorded and passed on before the next comes.

    `first_step` is the position in the stage of the first operator (1 after a reader). `on_removed(step, rows)`
    takes removed rows where a step wants them. `calls` replaces an operator's own method by a call elsewhere (a
    pool of actors), by step.
    """

    def __init__(
        self,
        operators: Sequence[Any],
        names: Sequence[str],
        *,
        first_step: int = 0,
        deadlines: Sequence[float | None] = (),
        on_removed: Removed | None = None,
        calls: Mapping[int, Callable[[Chunk], Applied]] | None = None,
    ):
        self._operators, self._first = operators, first_step
        self._on_removed, self._calls = on_removed, calls or {}
        self.counts = [StepCounts() for _ in range(first_step + len(operators))]
        self.ledger, self.quarantine = Ledger(), Quarantine()
        self.signals: dict[int, StepSignals] = {}
        self._shared = shared_measurements(operators)
        # The reader, where there is one, is a step of the stage too.
        steps = [*names[:first_step], *(operator.context.step for operator in operators)]
        homes = [*("" for _ in range(first_step)), *(home_of(type(operator)) for operator in operators)]
        elsewhere = frozenset(self._calls)
        self.guard = Guard(
            list(names), self._reject, deadlines=deadlines, steps=steps, homes=homes, elsewhere=elsewhere
        )

    def run(self, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
        """Yield what is left of the rows after all operators."""
        for index, operator in enumerate(self._operators):
            chunks = self._step(self._first + index, operator, chunks)
        return chunks

    def _step(self, step: int, operator: Any, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
        apply = self._calls.get(step) or _bound(operator, self._shared.get(step - self._first))
        counts = self.counts[step]
        for chunk in chunks if operator.exact else fixed_rows(chunks, INEXACT_ROWS):
            if len(chunk) == 0:
                continue
            counts.rows_in += len(chunk)
            started = time.process_time()
            results = list(self.guard.call(step, chunk, apply, exact=operator.exact))
            counts.seconds += time.process_time() - started
            for applied in results:
                self._record(step, applied)
                if len(applied.kept):
                    yield applied.kept

    def _record(self, step: int, applied: Applied) -> None:
        counts = self.counts[step]
        counts.rows_out += len(applied.kept)
        counts.added += applied.added
        counts.changed += applied.changed
        for reason, rows in (applied.dropped or {}).items():
            counts.remove(reason, rows)
        if applied.verdicts is not None and applied.judged is not None:
            self._record_signals(step, applied.judged, applied.verdicts)
            self._record_removed(step, applied.judged, applied.verdicts)

    def _record_signals(self, step: int, judged: Chunk, verdicts: Verdicts) -> None:
        operator = self._operators[step - self._first]
        keep = getattr(operator.options, "signals", None) == "keep"
        if verdicts.signals is None:
            if keep:
                raise OperatorError(
                    f"{type(operator).__name__} measures nothing that could be kept",
                    where=f"step {operator.context.step}",
                    expected="a filter with measured signals for `signals: keep`",
                    hint=f"take `signals: keep` out of the options of step {operator.context.step}",
                )
            return
        if step not in self.signals:
            rules = [(rule.signal, rule.side, rule.threshold, rule.name) for rule in verdicts.rules]
            self.signals[step] = StepSignals(rules, keep=keep)
        self.signals[step].add(verdicts.signals, judged.batch, judged.rows)

    def _record_removed(self, step: int, judged: Chunk, verdicts: Verdicts) -> None:
        gone = np.flatnonzero(~verdicts.keep)
        if not len(gone):
            return
        which = verdicts.rule[gone]
        names = [verdicts.rules[rule].name for rule in which]
        thresholds = np.array([verdicts.rules[rule].threshold for rule in which])
        details = [verdicts.detail[int(row)] for row in gone] if verdicts.detail is not None else None
        for name, rows in zip(*np.unique(names, return_counts=True), strict=True):
            self.counts[step].remove(str(name), int(rows))
        removed = judged.keep(~verdicts.keep)
        self.ledger.add(removed.batch, removed.rows, step, names, verdicts.value[gone], thresholds, details)
        if self._on_removed is not None:
            self._on_removed(step, removed.batch)

    def _reject(self, step: int, row: Chunk, reason: str, detail: str) -> None:
        """Quarantine one row with its input as it stood."""
        batch = row.batch
        document = {name: batch.column(name)[0].as_py() for name in KEPT if batch.schema.get_field_index(name) >= 0}
        self.counts[step].quarantine(reason)
        self.quarantine.add_document(document, reason=reason, detail=detail, step=step)


def _bound(operator: Any, shared: Shared | None) -> Callable[[Chunk], Applied]:
    if shared is not None:
        return lambda chunk: apply_filter(operator, chunk, shared)
    apply = APPLY[operator.kind]
    return lambda chunk: apply(operator, chunk)
