"""The join of one key range: candidates of all sketches, verified by evidence, as sorted distinct links."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from corpusmill.exchange.candidates import PAIR_BLOCK, Rows, candidate_blocks
from corpusmill.exchange.key_sort import key_runs, sort_keys
from corpusmill.exchange.pairs import distinct_pairs
from corpusmill.exchange.row_table import RowTable
from corpusmill.exchange.sketch_file import KeySlice

Comparison = Callable[[Rows, Rows], npt.NDArray[np.float64]]
"""Takes the rows of both sides of some pairs; NaN for a pair that cannot be compared, which is no link then."""


class KeySource(Protocol):
    """Sorted keys: a whole key file, or those of the range at hand."""

    def positions(self, bounds: list[int]) -> npt.NDArray[np.int64]:
        """Return, for each key bound in 0..2**64, how many entries lie below it."""

    def entries(self, start: int, stop: int) -> KeySlice:
        """Return the entries at positions `start` to `stop`."""


Selection = npt.NDArray[np.bool_] | None

KEY_BLOCK = 1 << 21


@dataclass(frozen=True)
class Join:
    """Links of one key range: int64 (n, 2), distinct, sorted, left below right.

    `candidates` and `verified` count meetings: a pair that shares three keys counts three times, so that the sums
    over ranges do not depend on how ranges are cut.
    """

    links: Rows
    candidates: int
    verified: int


@dataclass
class _Links:
    """Gathers candidate pairs, verifies them a block at a time once distinct, keeps those at or over the threshold."""

    compare: Comparison | None
    threshold: float
    kept: list[Rows] = field(default_factory=list)
    waiting: list[tuple[Rows, Rows]] = field(default_factory=list)
    waiting_pairs: int = 0
    candidates: int = 0
    verified: int = 0

    def add(self, left: Rows, right: Rows) -> None:
        self.waiting.append((left, right))
        self.waiting_pairs += left.size
        self.candidates += left.size
        if self.waiting_pairs >= PAIR_BLOCK:
            self.flush()

    def flush(self) -> None:
        if not self.waiting:
            return
        left, right = (np.concatenate(sides) for sides in zip(*self.waiting, strict=True))
        self.waiting, self.waiting_pairs = [], 0
        pairs, counts = distinct_pairs(left, right)
        similar = self._similar(pairs)
        self.kept.append(pairs[similar])
        self.verified += int(counts[similar].sum())

    def finish(self) -> Join:
        self.flush()
        if len(self.kept) > 1:
            merged = np.concatenate(self.kept)
            self.kept = [distinct_pairs(merged[:, 0], merged[:, 1])[0]]
        links = self.kept[0] if self.kept else np.empty((0, 2), np.int64)
        return Join(links, self.candidates, self.verified)

    def _similar(self, pairs: Rows) -> npt.NDArray[np.bool_]:
        if self.compare is None:
            return np.ones(len(pairs), bool)
        return self.compare(pairs[:, 0], pairs[:, 1]) >= self.threshold


def join_keys(
    sources: Sequence[KeySource],
    bases: Sequence[int],
    selections: Sequence[Selection] | None,
    low: int,
    high: int,
    table: RowTable,
    compare: Comparison | None = None,
    threshold: float = 1.0,
    *,
    key_block: int = KEY_BLOCK,
) -> Join:
    """Join the keys in [low, high) of sketches, or of runs they were merged into.

    Row `r` of source `i` is row `bases[i] + r` (int64, bases ascending) of `table`, which knows its rank and evidence;
    where `selections[i]` is a mask, bool (rows,), only its true rows take part. Without `compare` equal keys are
    links (a star around the best-ranked row); with it, candidates that are at least `threshold` alike.
    Memory is bounded by the blocks, the links, and the largest bucket; the result depends on none of them.
    """
    links = _Links(compare, threshold)
    rank_of = table.rank if table.has_rank else None
    for first, last, keys, low_keys, rows in key_blocks(sources, bases, selections, low, high, key_block):
        ordered, ordered_low, ordered_rows = sort_keys(keys, low_keys, rows, first, last)
        starts, ends = key_runs(ordered, ordered_low)
        for left, right in candidate_blocks(ordered_rows, starts, ends, star=compare is None, rank_of=rank_of):
            links.add(left, right)
    return links.finish()


def key_blocks(
    sources: Sequence[KeySource],
    bases: Sequence[int],
    selections: Sequence[Selection] | None,
    low: int,
    high: int,
    block: int,
) -> Iterator[tuple[int, int, npt.NDArray[np.uint64], npt.NDArray[np.uint64], Rows]]:
    """Yield sub-ranges of about `block` keys: first and last key, and the selected keys and rows of all sources."""
    total = sum(int(np.diff(source.positions([low, high]))[0]) for source in sources)
    cuts = min(max(1, -(-total // block)), high - low)
    bounds = [low + (high - low) * index // cuts for index in range(cuts + 1)]
    positions = [source.positions(bounds) for source in sources]
    for index in range(cuts):
        keys, lows, rows = [], [], []
        for number, source in enumerate(sources):
            start, stop = int(positions[number][index]), int(positions[number][index + 1])
            if start == stop:
                continue
            entries = source.entries(start, stop)
            mask = None if selections is None else selections[number]
            taken: Any = slice(None) if mask is None else mask[entries.row]
            keys.append(entries.key[taken])
            rows.append(entries.row[taken].astype(np.int64) + bases[number])
            if entries.key_low is not None:
                lows.append(entries.key_low[taken])
        if keys:
            low_keys = np.concatenate(lows) if lows else np.empty(0, np.uint64)
            yield bounds[index], bounds[index + 1] - 1, np.concatenate(keys), low_keys, np.concatenate(rows)
