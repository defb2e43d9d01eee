"""Selections: which rows of a part count; dedup and sampling select, they do not copy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpusmill.dataset.hashing import hash_bytes
from corpusmill.dataset.part import read_table, write_table
from corpusmill.dataset.store import FileRef, Store


@dataclass(frozen=True)
class Selection:
    """A published bitmap over the rows of one part."""

    digest: str
    selected: int
    file: FileRef

    def to_json(self) -> list[Any]:
        """Return the selection as it stands in records."""
        return [self.digest, self.selected, self.file.to_json()]

    @staticmethod
    def from_json(value: list[Any] | None) -> Selection | None:
        """Read a selection from a record; None means all rows."""
        return None if value is None else Selection(value[0], value[1], FileRef.from_json(value[2]))


def write_selection(store: Store, mask: npt.NDArray[np.bool_]) -> Selection:
    """Publish a mask (rows,)."""
    file = write_table(store, pa.table({"selected": pa.array(mask)}))
    return Selection(selection_digest(mask), int(mask.sum()), file)


def read_selection(store: Store, selection: Selection) -> npt.NDArray[np.bool_]:
    """Return the mask (rows,) of a selection."""
    table = read_table(store, selection.file)
    return np.asarray(table["selected"].combine_chunks().to_numpy(zero_copy_only=False), np.bool_)


def selection_digest(mask: npt.NDArray[np.bool_]) -> str:
    """Return the digest of a mask: its length and bits."""
    return hash_bytes(len(mask).to_bytes(8, "little") + np.packbits(mask).tobytes())
