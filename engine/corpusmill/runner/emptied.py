"""Rows of an inexact operator's batch that must not count: texts emptied before, results dropped after."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.plugin.verdicts import Verdicts
from corpusmill.runner.applied import Applied, set_column
from corpusmill.runner.chunk import Chunk


def with_empty_texts(chunk: Chunk, keep: Any) -> Chunk:
    """Return the chunk with every text column emptied in the rows that are not kept; ids and places stay."""
    if keep.all():
        return chunk
    batch, mask = chunk.batch, pa.array(keep)
    for name in batch.schema.names:
        column = batch.column(name)
        if pa.types.is_large_string(column.type) and name not in ("source", "file"):
            batch = set_column(batch, name, pc.if_else(mask, column, pa.scalar("", column.type)))
    return chunk.with_batch(batch)


def applied_without(applied: Applied, rows: Any, given: int) -> Applied:
    """Return the result without these rows of the shard; `given`: how many rows of the chunk count."""
    kept = applied.kept.keep(~np.isin(applied.kept.rows, rows))
    if applied.judged is None or applied.verdicts is None:
        return replace(applied, kept=kept, given=given)
    stay = ~np.isin(applied.judged.rows, rows)
    old = applied.verdicts
    detail = None if old.detail is None else [one for one, stays in zip(old.detail, stay, strict=True) if stays]
    signals = None if old.signals is None else {name: one[stay] for name, one in old.signals.items()}
    verdicts = Verdicts(old.rules, old.rule[stay], old.value[stay], detail, signals)
    return replace(applied, kept=kept, given=given, judged=applied.judged.keep(stay), verdicts=verdicts)
