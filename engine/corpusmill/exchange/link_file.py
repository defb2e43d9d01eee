"""Links on disk: sorted pairs of row numbers, streamed back in chunks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from corpusmill.exchange.column_file import read_columns, write_columns

_CHUNK = 1 << 20


def write_links(path: str | Path, links: npt.NDArray[np.int64]) -> None:
    """Write links, int64 (n, 2); equal links give equal bytes."""
    write_columns(path, {"left": links[:, 0], "right": links[:, 1]}, {})


def read_links(paths: Iterable[str | Path], chunk: int = _CHUNK) -> Iterator[npt.NDArray[np.int64]]:
    """Yield the links of all files in order as int64 (n, 2), at most `chunk` at a time; raises StoreError."""
    for path in paths:
        columns, _ = read_columns(path)
        for start in range(0, columns["left"].size, chunk):
            yield np.stack([columns[side][start : start + chunk] for side in ("left", "right")], axis=1)
