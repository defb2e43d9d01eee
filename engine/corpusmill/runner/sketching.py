"""Sketching the documents of a part: those a deduplicator raises on or dies of are refused, their neighbours not."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpusmill.dataset.part import Part, read_part
from corpusmill.plugin.dedup_kind import Sketch
from corpusmill.plugin.local import home_of
from corpusmill.runner.applied import Sketched, apply_sketch
from corpusmill.runner.breadcrumb import READ, Breadcrumb
from corpusmill.runner.chunk import Chunk, numbered
from corpusmill.runner.guard import Guard
from corpusmill.runner.isolation import Isolation
from corpusmill.runner.refusals import Refusals
from corpusmill.runner.workspace import Workspace


class Sketching:
    """Takes a deduplicator over all rows of a part, guarded as the operators of a pass are.

    A sketch serves any selection of its part, so a refusal is noted by its row; what it means is up to who selects.
    """

    def __init__(self, payload: Mapping[str, Any], workspace: Workspace, crumb: Breadcrumb):
        recipe = payload["operator"]
        self.operator = workspace.operator(recipe)
        self._payload, self._workspace, self._crumb = payload, workspace, crumb
        self._part = Part.from_json(payload["part"])
        self._refusals = Refusals(workspace)
        self._guard = Guard(
            [recipe["uses"]],
            self._refusals.take,
            crumb,
            payload["deadlines"],
            before=Isolation.of(payload, workspace, [recipe], crumb),
            steps=[recipe["step"]],
            homes=[home_of(type(self.operator))],
        )

    def run(self, take: Callable[[Sketched], None], skip: Callable[[int], None]) -> None:
        """Sketch the part: `take` gets the sketches in row order, `skip` the number of rows without one between."""
        row = 0
        for made in self._sketches():
            one = _without_gaps(_of_kept(made))
            first = int(one.chunk.rows[0])
            if first > row:
                skip(first - row)
            take(one)
            row = first + len(one.chunk)
        if row < self._part.rows:
            skip(self._part.rows - row)

    def refused(self) -> dict[str, Any]:
        """Return what the unit's record says of the rows without a sketch: nothing where there are none."""
        return self._refusals.told()

    def _sketches(self) -> Iterator[Sketched]:
        self._crumb.put(READ)
        exact = self.operator.exact
        # The numbers of an inexact operator depend on their batch, so that is the part's own.
        most = self._payload["batch_bytes"] if exact else sys.maxsize
        for chunk in numbered(read_part(self._workspace.store, self._part.file), most):
            for made in self._guard.call(0, chunk, partial(apply_sketch, self.operator), exact=exact):
                yield cast("Sketched", made)


def _of_kept(made: Sketched) -> Sketched:
    """Return the sketch without the keys of rows that do not count: an inexact operator was given them emptied."""
    if len(made.kept) == len(made.chunk):
        return made
    sketch = made.sketch
    alive = np.isin(made.chunk.rows, made.kept.rows)[sketch.rows]
    spans = None if sketch.spans is None else sketch.spans[alive]
    return replace(made, sketch=Sketch(sketch.keys[alive], sketch.rows[alive], sketch.evidence, spans))


def _without_gaps(made: Sketched) -> Sketched:
    """Return the sketch of a chunk that excluded rows were taken out of, with blank rows where they stood."""
    first = made.chunk.rows[0]
    place = made.chunk.rows - first
    rows = int(place[-1]) + 1
    if rows == len(place):
        return made
    origin = np.full(rows, -1)
    origin[place] = np.arange(len(place))
    batch = made.chunk.batch.take(pa.array(origin, mask=origin < 0))
    sketch = replace(made.sketch, rows=place[made.sketch.rows], evidence=_spread(made.sketch.evidence, place, rows, 0))
    chunk, rank = Chunk(batch, first + np.arange(rows)), _spread(made.rank, place, rows, np.inf)
    return replace(made, kept=chunk, chunk=chunk, sketch=sketch, rank=rank)


def _spread(values: npt.NDArray[Any] | None, place: npt.NDArray[np.int64], rows: int, blank: float) -> Any:
    """Return an array of so many rows with the values at their places."""
    if values is None:
        return None
    spread = np.full((rows, *values.shape[1:]), blank, values.dtype)
    spread[place] = values
    return spread
