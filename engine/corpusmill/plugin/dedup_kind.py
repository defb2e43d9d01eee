"""The dedup kind: sketch rows into keys, verify candidate pairs; the engine does the joining."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from corpusmill.plugin.operator import Operator
from corpusmill.plugin.ports import Documents, Port

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa


@dataclass(frozen=True)
class Sketch:
    """The keys of a batch.

    `keys`: uint64 (n,), or uint64 (n, 2) for 128-bit keys where equality alone decides. `rows`: int64 (n,), the
    batch row of each key; a row without keys (null, empty) is never a duplicate. Keys must be well mixed: the
    exchange cuts their range evenly. `evidence`: one fixed-width row a document for `similarity`, NumPy (rows, k).
    """

    keys: npt.NDArray[np.uint64]
    rows: npt.NDArray[np.int64]
    evidence: npt.NDArray[Any] | None = None


class Deduplicator(Operator):
    """Finds duplicates: rows that share a key are candidates, verified pairs are links, one row of each group stays.

    `key_options`: names of the options that change keys, evidence or rank; sketches are cached under these alone, so
    another threshold sketches nothing again. `rank` names the columns that decide which row stays, best first.
    """

    kind = "dedup"
    inputs: ClassVar[dict[str, type[Port] | Port]] = {
        "documents": Documents,
        "against": Documents(required=False, many=True),
    }
    """`against`: earlier documents whose rows rank first and stay out of the output."""
    outputs: ClassVar[dict[str, str]] = {"removed": "documents", "clusters": "documents"}
    key_options: ClassVar[tuple[str, ...]] = ()
    verifies: ClassVar[bool] = False
    reason: ClassVar[str] = "duplicate"

    def sketch(self, batch: pa.RecordBatch) -> Sketch:
        """Return the keys (and evidence) of the rows of a batch."""
        raise NotImplementedError

    def rank(self, batch: pa.RecordBatch) -> npt.NDArray[np.float64] | None:
        """Return float64 (rows,), lower is better; None ranks by input order. Ties go to input order."""
        return None

    def similarity(self, left: npt.NDArray[Any], right: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Return float64 (pairs,) from the evidence of both sides, each (pairs, k); symmetric."""
        raise NotImplementedError

    def threshold(self) -> float:
        """The smallest similarity of a duplicate."""
        return 1.0
