"""Calls of model-based operators to a pool of actors, from inside a shard's pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import pyarrow as pa

from corpusmill.runner.applied import Applied, add_columns
from corpusmill.runner.chunk import Chunk


class Pool(Protocol):
    """Something that runs an annotator's batches elsewhere."""

    def annotate(self, batch: pa.RecordBatch, deadline: float | None) -> Mapping[str, pa.Array]:
        """Return the operator's columns for a batch; raises PoolLost when actors die of it or with it."""


def pool_calls(
    pools: Mapping[int, Pool] | None, operators: Sequence[Any], first: int, deadlines: Sequence[float | None]
) -> dict[int, Callable[[Chunk], Applied]]:
    """Return, by step, the calls that replace an operator's own method where a pool serves it.

    A deadline is the actor's to keep, for one call: a batch that waits for its turn is not late.
    """
    calls: dict[int, Callable[[Chunk], Applied]] = {}
    for step, pool in (pools or {}).items():
        calls[step] = _call(operators[step - first], pool, deadlines[step])
    return calls


def _call(operator: Any, pool: Pool, deadline: float | None) -> Callable[[Chunk], Applied]:
    def apply(chunk: Chunk) -> Applied:
        columns = pool.annotate(chunk.batch, deadline)
        return Applied(chunk.with_batch(add_columns(operator, chunk.batch, columns)), len(chunk))

    return apply
