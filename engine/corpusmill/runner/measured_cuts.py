"""Measuring documents that lost segments: those a deduplicator raises on or dies of are refused, and told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpusmill.plugin.local import home_of
from corpusmill.runner.applied import Applied, set_column
from corpusmill.runner.breadcrumb import Breadcrumb
from corpusmill.runner.chunk import Chunk
from corpusmill.runner.guard import Guard
from corpusmill.runner.isolation import Isolation
from corpusmill.runner.refusals import Refusals
from corpusmill.runner.workspace import Workspace

_AFTER = "corpusmill:after"


@dataclass(frozen=True, kw_only=True)
class Measured(Applied):
    """What a deduplicator says of the documents of a chunk."""

    signals: Mapping[str, Any]


class CutMeasure:
    """Stands for a deduplicator of segments where documents are tried one by one, with their texts before and after."""

    kind = "cut"

    def __init__(self, operator: Any):
        self._operator = operator

    def measure(self, chunk: Chunk) -> Measured:
        """Return the signals of documents whose text after the cut stands in the last column."""
        *names, _ = chunk.batch.schema.names
        before, text = chunk.batch.select(names), chunk.batch.columns[-1]
        signals = self._operator.measure_cut(before, set_column(before, self._operator.column, text))
        return Measured(chunk, len(chunk), signals=signals)


class MeasuredCuts:
    """Asks a deduplicator about the documents of a part that lost segments, guarded as the operators of a pass are."""

    def __init__(self, payload: Mapping[str, Any], workspace: Workspace, crumb: Breadcrumb):
        recipe = payload["operator"]
        operator = workspace.operator(recipe)
        self._measure, self._column = CutMeasure(operator), operator.column
        self.refusals = Refusals(workspace)
        self._guard = Guard(
            [recipe["uses"]],
            self.refusals.take,
            crumb,
            payload["deadlines"],
            before=Isolation.of(payload, workspace, [{**recipe, "cut": True}], crumb),
            steps=[recipe["step"]],
            homes=[home_of(type(operator))],
        )

    def __call__(
        self, before: pa.RecordBatch, after: pa.RecordBatch, rows: npt.NDArray[np.int64]
    ) -> Mapping[str, Any] | None:
        """Return the signals of documents, whose numbers in the part are `rows`; None where it fails on one of them."""
        chunk = Chunk(before.append_column(_AFTER, after.column(self._column)), rows)
        made = [cast("Measured", one) for one in self._guard.call(0, chunk, self._measure.measure)]
        if sum(one.given for one in made) < len(chunk):
            return None
        if len(made) == 1:
            return made[0].signals
        return {name: np.concatenate([np.asarray(one.signals[name]) for one in made]) for name in made[0].signals}
