"""What an operator made of rows at hand: one result type a kind, with verdicts, values, texts or columns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt
    import pyarrow as pa


@dataclass(frozen=True)
class Verdict:
    """What became of one row: kept, or removed by a rule.

    `value` is what was measured and `threshold` what it was held against, None where a rule has no number. `detail`:
    the operator's words. `other`: the number of the row that was kept instead of a duplicate.
    """

    kept: bool
    rule: str | None = None
    value: float | None = None
    threshold: float | None = None
    detail: str | None = None
    other: int | None = None


@dataclass(frozen=True)
class Applied:
    """The rows that are left.

    `table`: those rows with all their columns. `rows`: for each of them, the number of the row it was made from.
    `size`: how many rows went in.
    """

    uses: str
    size: int
    table: pa.Table = field(repr=False)
    rows: npt.NDArray[np.int64] = field(repr=False)
    column: str = "text"

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @property
    def kept(self) -> npt.NDArray[np.bool_]:
        """Bool (size,): for each row that went in, whether it is left."""
        mask = np.zeros(self.size, bool)
        mask[self.rows] = True
        return mask

    @property
    def texts(self) -> list[str | None]:
        """The texts that are left."""
        texts: list[str | None] = self.table.column(self.column).to_pylist()
        return texts


@dataclass(frozen=True)
class Judged(Applied):
    """What a filter decided. `signals`: name -> float64 (size,), what it measured, empty where it does not measure."""

    verdicts: Sequence[Verdict] = field(default=(), repr=False)
    signals: Mapping[str, npt.NDArray[np.float64]] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Cleaned(Applied):
    """What a cleaner rewrote. `changed`: bool (size,), True for each row whose text is another now."""

    verdicts: Sequence[Verdict] = field(default=(), repr=False)
    changed: npt.NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool), repr=False)


@dataclass(frozen=True)
class Annotated(Applied):
    """What an annotator added. `columns`: name -> Arrow column, one value a row."""

    columns: Mapping[str, pa.ChunkedArray] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Labelled(Applied):
    """Which split each row is in. `labels`: one a row."""

    labels: Sequence[str] = field(default=(), repr=False)


@dataclass(frozen=True)
class Grown(Applied):
    """What an augmenter made. `made_by`: what was done to each row that is left, None for an untouched original."""

    made_by: Sequence[str | None] = field(default=(), repr=False)


@dataclass(frozen=True)
class Deduplicated(Applied):
    """Which rows a deduplicator removed; a verdict's `other` is the row that stays for it, `value` the similarity."""

    verdicts: Sequence[Verdict] = field(default=(), repr=False)
