"""split.by-hash: labels drawn by hash, whole groups together."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from pydantic import model_validator

from corpusmill import Splitter, option

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

_LABEL = re.compile(r"[a-z][a-z0-9-]*")


class ByHash(Splitter):
    """Label rows by hash, so that shares hold in expectation and whole groups stay together.

    xxh3-64 of (seed, step id, group) gives a number in [0, 1); the labels divide that interval in the order train,
    validation, test, then the order of `labels`. A row's label depends on nothing but its group (`group_by`, or its
    own id without one), so adding data moves no row, and equal shares of groups are not equal shares of rows. A row
    whose group is null stands alone: it goes by its id.
    """

    class Options(Splitter.Options):
        """Shares, in total one."""

        train: float | None = option(None, gt=0, le=1, help="share labelled train", unit="share")
        validation: float | None = option(None, gt=0, le=1, help="share labelled validation", unit="share")
        test: float | None = option(None, gt=0, le=1, help="share labelled test", unit="share")
        labels: dict[str, float] | None = option(None, help="shares of labels with other names", unit="share")
        group_by: str | None = option(None, help="column whose equal values get equal labels; default: each row alone")

        @model_validator(mode="after")
        def _check(self) -> ByHash.Options:
            shares = self.shares()
            for label, share in (self.labels or {}).items():
                if not _LABEL.fullmatch(label):
                    raise ValueError(f"label {label!r}: expected small letters, digits and hyphens")
                if label in ("train", "validation", "test"):
                    raise ValueError(f"label {label!r} has an option of its own: write `{label}: {share}`")
                if not 0 < share <= 1:
                    raise ValueError(f"share {share!r} of label {label!r}: expected above 0, at most 1")
            if not math.isclose(sum(shares.values()), 1.0, abs_tol=1e-9):
                raise ValueError(f"shares sum to {sum(shares.values()):g}, expected 1")
            return self

        def shares(self) -> dict[str, float]:
            """All labels with their shares, in order."""
            named = {"train": self.train, "validation": self.validation, "test": self.test}
            return {label: share for label, share in named.items() if share is not None} | (self.labels or {})

    def reads(self) -> tuple[str, ...]:
        """The grouping column, if any."""
        return (self.options.group_by,) if self.options.group_by else ()

    def labels(self) -> tuple[str, ...]:
        """All labels in order."""
        return tuple(self.options.shares())

    def split(self, batch: pa.RecordBatch) -> npt.NDArray[np.int32]:
        """Return int32 (rows,): an index into `labels()` for each row."""
        import numpy as np

        draws = np.fromiter((_draw(self._prefix(), group) for group in self._groups(batch)), np.float64, batch.num_rows)
        bounds = np.cumsum(list(self.options.shares().values()))[:-1]
        return np.searchsorted(bounds, draws, side="right").astype(np.int32)

    def _prefix(self) -> bytes:
        return f"{self.seed}\x00{self.context.step}\x00".encode()

    def _groups(self, batch: pa.RecordBatch) -> list[bytes]:
        """What each row's draw depends on; groups and ids are told apart, so that none meets the other by accident."""
        import pyarrow as pa
        import pyarrow.compute as pc

        name = self.options.group_by
        groups = batch.column(name) if name else pa.nulls(batch.num_rows)
        keys = [
            b"g" + group.encode() if group is not None else b""
            for group in pc.cast(groups, pa.large_string()).to_pylist()
        ]
        lonely = [row for row, key in enumerate(keys) if not key]
        ids = batch.column("id").take(pa.array(lonely, pa.int64())).to_pylist() if lonely else []
        for row, one in zip(lonely, ids, strict=True):
            keys[row] = b"i" + str(one).encode()
        return keys


def _draw(prefix: bytes, group: bytes) -> float:
    """A number in [0, 1) with 53 random bits."""
    from xxhash import xxh3_64_intdigest

    return (xxh3_64_intdigest(prefix + group) >> 11) / 9007199254740992.0
