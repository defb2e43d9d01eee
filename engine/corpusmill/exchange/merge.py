"""Merging the key files of many sketches into one run before the join, where each would give a range only crumbs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from corpusmill.exchange.column_file import write_columns
from corpusmill.exchange.grouping import SMALLEST, content_groups
from corpusmill.exchange.ranges import KEY_SPACE
from corpusmill.exchange.sketch_file import SketchFile

SLICE_BYTES = 1 << 20
"""Bytes of keys that a range should find in one file: opening it costs as much as reading some 100 KB."""
MERGE_BLOCK = 1 << 22
_MOST_ROWS = 2**32 - 1


def merge_groups(
    checksums: Sequence[str], rows: Sequence[int], key_bytes: int, ranges: int, least: int = SMALLEST
) -> list[slice]:
    """Return which sketches to merge into one run each: groups of neighbours, cut by content, one or more a group.

    `checksums` name the sketches' key files, `rows` count their rows, `key_bytes` sums their sizes. Every group is a
    single sketch where slices of a range are large enough, or there are not more than `least` sketches.
    """
    if len(checksums) <= least or key_bytes // (ranges * len(checksums)) >= SLICE_BYTES:
        return [slice(place, place + 1) for place in range(len(checksums))]
    return content_groups(checksums, rows, smallest=least, largest=2 * least, heaviest=_MOST_ROWS)


def merge_keys(
    sketches: Sequence[SketchFile], path: Path, scratch: Callable[[str], Path], block: int = MERGE_BLOCK
) -> None:
    """Write the keys of sketches as one key file, as if their parts were one part, in this order.

    Row `r` of sketch `i` becomes row `r` + the rows of the sketches before it. Memory is bounded by the block and the
    keys that are equal in their high half; the columns grow in mapped files on scratch.
    """
    total = sum(one.key_count for one in sketches)
    offsets = np.cumsum([0, *(one.rows for one in sketches)])
    names = ("key", "key_low", "row") if any(one.is_wide for one in sketches) else ("key", "row")
    columns = {name: _column(total, "u4" if name == "row" else "u8", scratch) for name in names}
    cuts = max(1, -(-total // block))
    bounds = [KEY_SPACE * index // cuts for index in range(cuts + 1)]
    positions = [one.positions(bounds) for one in sketches]
    done = 0
    for cut, _ in enumerate(pairwise(bounds)):
        taken = [(one, int(at[cut]), int(at[cut + 1])) for one, at in zip(sketches, positions, strict=True)]
        merged = _merged(taken, offsets)
        stop = done + merged["row"].size
        for name, values in columns.items():
            values[done:stop] = merged[name]
        done = stop
    write_columns(path, columns, {"rows": str(int(offsets[-1]))})


def _merged(taken: Sequence[tuple[SketchFile, int, int]], offsets: npt.NDArray[np.int64]) -> dict[str, Any]:
    """Return the entries of one sub-range in the order of (key, row): a stable sort of sorted pieces, in order."""
    pieces = [(one.entries(start, stop), offsets[number]) for number, (one, start, stop) in enumerate(taken)
              if start < stop]  # fmt: skip
    keys = np.concatenate([np.empty(0, np.uint64), *(piece.key for piece, _ in pieces)])
    rows = np.concatenate([np.empty(0, np.int64), *(piece.row.astype(np.int64) + first for piece, first in pieces)])
    lows = [piece.key_low for piece, _ in pieces if piece.key_low is not None]
    low = np.concatenate([np.empty(0, np.uint64), *lows])
    order = np.lexsort([low, keys]) if low.size else np.argsort(keys, kind="stable")
    return {"key": keys[order], "key_low": low[order] if low.size else low, "row": rows[order].astype(np.uint32)}


def _column(size: int, dtype: str, scratch: Callable[[str], Path]) -> npt.NDArray[Any]:
    if not size:
        return np.empty(0, dtype)
    path = scratch(".column")
    values = np.memmap(path, dtype, "w+", shape=(size,))
    path.unlink()  # the mapping keeps it; a process that dies leaves nothing behind
    return values
