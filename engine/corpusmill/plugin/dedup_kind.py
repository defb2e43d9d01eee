"""The dedup kind: sketch rows, or segments of their text, into keys; the engine joins, selects and cuts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from corpusmill.errors import OperatorError
from corpusmill.plugin.operator import Operator
from corpusmill.plugin.ports import Documents, Port

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from corpusmill.plugin.verdicts import Rule

SEGMENT_OUTPUTS = {"removed": "documents", "cuts": "documents"}
"""Named outputs where segments are cut: the documents removed, as they came in, and the place of every cut segment."""


@dataclass(frozen=True)
class Sketch:
    """The keys of a batch.

    `keys`: uint64 (n,), or uint64 (n, 2) for 128-bit keys where equality alone decides. `rows`: int64 (n,), the
    batch row of each key; a row without keys (null, empty) is never a duplicate. Keys must be well mixed: the
    exchange cuts their range evenly. `evidence`: one fixed-width row a document for `similarity`, NumPy (rows, k).

    `spans`, for `unit = "segment"` alone: int64 (n, 2), where the segment of each key starts and stops in the UTF-8
    bytes of its row's text, start below stop, both between characters. Segments come in any order and may overlap;
    text in no segment is never cut. Keys are then 128 bits, (n, 2).
    """

    keys: npt.NDArray[np.uint64]
    rows: npt.NDArray[np.int64]
    evidence: npt.NDArray[Any] | None = None
    spans: npt.NDArray[np.int64] | None = None


class Deduplicator(Operator):
    """Finds duplicates: rows that share a key are candidates, verified pairs are links, one row of each group stays.

    `key_options`: names of the options that change keys, evidence or rank; sketches are cached under these alone, so
    another threshold sketches nothing again. `rank` names the columns that decide which row stays, best first.

    `unit = "segment"`: what repeats is a part of a text (a line, a paragraph, some sentences). `sketch` gives one
    128-bit key a segment and its `spans`; equality alone decides. Of equal segments, in one document or several, the
    first stays: that of the best-ranked document, ties by input order, then by place in the text. The engine cuts the
    others out of the text:

    - what goes is the union of the spans cut. Of the blanks (ASCII white space) before, inside and after a gap the
      run with the most line breaks stays, the first of equals; at the beginning and at the end of a text, none;
    - a document of which only white space is left is removed, by the rule `reason`. Others that lost a segment are
      judged by `rules()` over the signals of `measure_cut`. Documents that lost nothing stay as they are.
    """

    kind = "dedup"
    unit: ClassVar[Literal["document", "segment"]] = "document"
    inputs: ClassVar[dict[str, type[Port] | Port]] = {
        "documents": Documents,
        "against": Documents(required=False, many=True),
    }
    """`against`: earlier documents whose rows rank first and stay out of the output."""
    outputs: ClassVar[dict[str, str]] = {"removed": "documents", "clusters": "documents"}
    key_options: ClassVar[tuple[str, ...]] = ()
    verifies: ClassVar[bool] = False
    reason: ClassVar[str] = "duplicate"

    def __init_subclass__(cls, **arguments: Any) -> None:
        """Give deduplicators of segments their outputs; raises OperatorError for a contract that cannot be kept."""
        super().__init_subclass__(**arguments)
        if cls.unit == "segment" and cls.outputs is Deduplicator.outputs:
            cls.outputs = SEGMENT_OUTPUTS
        if cls.unit not in ("document", "segment") or (cls.unit == "segment" and cls.verifies):
            raise OperatorError(
                f"{cls.__name__} has the unit {cls.unit!r}" + (" and verifies" if cls.verifies else ""),
                expected="the unit 'document', or 'segment' without verification: equality alone decides there",
            )

    def sketch(self, batch: pa.RecordBatch) -> Sketch:
        """Return the keys (and evidence) of the rows of a batch, the same whatever rows stand beside one.

        A document on which this raises, dies or passes the deadline leaves the step for the quarantine.
        """
        raise NotImplementedError

    def rank(self, batch: pa.RecordBatch) -> npt.NDArray[np.float64] | None:
        """Return float64 (rows,), lower is better; None ranks by input order. Ties go to input order."""
        return None

    def similarity(self, left: npt.NDArray[Any], right: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Return float64 (pairs,) from the evidence of both sides, each (pairs, k); symmetric.

        Of a pair on which this raises, dies or passes the deadline that document leaves the step for the quarantine
        which cannot be compared with itself either, else the later one.
        """
        raise NotImplementedError

    def threshold(self) -> float:
        """The smallest similarity of a duplicate."""
        return 1.0

    def measure_cut(self, before: pa.RecordBatch, after: pa.RecordBatch) -> Mapping[str, Any]:
        """Unit segment: return signal -> one number a row, for `rules()`.

        `before` and `after`: the documents that lost segments, as they came in and with the segments cut; of those
        nothing is left of, the engine asks, too, and does not look at the answer. Pure per row.
        """
        return {}

    def rules(self) -> Sequence[Rule]:
        """Unit segment: the rules that documents must keep once segments were cut; the first that fails removes."""
        return ()
