"""Pairs of documents as rows of a batch: how two are compared in a process of their own."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpusmill.errors import OperatorError


class Paired:
    """Stands for a deduplicator where pairs are tried one by one; `dtype`: of its evidence, as NumPy writes it."""

    kind = "compare"

    def __init__(self, operator: Any, dtype: str):
        self._operator, self._dtype = operator, np.dtype(dtype)

    def compare(self, batch: pa.RecordBatch) -> npt.NDArray[np.float64]:
        """Return float64 (pairs,)."""
        sides = [_evidence(batch.column(name), self._dtype) for name in ("left", "right")]
        return similarity(self._operator, *sides)


def similarity(operator: Any, left: npt.NDArray[Any], right: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return float64 (pairs,) from the evidence of both sides; raises OperatorError for an answer that is not that."""
    values = np.asarray(operator.similarity(left, right))
    if values.shape != (len(left),) or values.dtype.kind not in "fiub":
        raise OperatorError(
            f"{type(operator).__name__}.similarity() returned {values.dtype} of shape {values.shape}",
            expected=f"one number for each of {len(left)} pairs",
        )
    return values.astype(np.float64, copy=False)


def pair_batch(left: npt.NDArray[Any], right: npt.NDArray[Any]) -> pa.RecordBatch:
    """Return a row for each pair, from the evidence of both sides."""
    return pa.record_batch({"left": _column(left), "right": _column(right)})


def _column(evidence: npt.NDArray[Any]) -> pa.Array:
    data = np.ascontiguousarray(evidence)
    width = data.dtype.itemsize * data.shape[1]
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(width), len(data), [None, pa.py_buffer(data)])


def _evidence(column: pa.Array, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Return the evidence of a column of a batch that may be a slice."""
    width = column.type.byte_width
    data = column.buffers()[1][column.offset * width : (column.offset + len(column)) * width]
    return np.frombuffer(data, dtype).reshape(len(column), -1).copy()
