"""The keys of one range of a key file on an object store: found by a few blocks, fetched alone, searched in memory."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpusmill.exchange.ranged_columns import RangedColumns
from corpusmill.exchange.ranges import KEY_SPACE
from corpusmill.exchange.sketch_file import KeySlice


class RangeKeys:
    """What a join asks of a key file, for keys in [low, high): `positions` and `entries`, of that range alone."""

    def __init__(self, columns: RangedColumns, low: int, high: int):
        start, stop = _position(columns, low), _position(columns, high)
        wide = "key_low" in columns.names
        self._slice = KeySlice(
            columns.slice("key", start, stop),
            columns.slice("key_low", start, stop) if wide else None,
            columns.slice("row", start, stop),
        )

    def positions(self, bounds: list[int]) -> npt.NDArray[np.int64]:
        """Return, for each key bound in 0..2**64, how many keys of the range lie below it: int64 (len(bounds),)."""
        keys = self._slice.key
        found = np.searchsorted(keys, np.array([min(bound, KEY_SPACE - 1) for bound in bounds], np.uint64))
        beyond = np.array([bound >= KEY_SPACE for bound in bounds], bool)
        return np.where(beyond, keys.size, found).astype(np.int64)

    def entries(self, start: int, stop: int) -> KeySlice:
        """Return the entries at positions `start` to `stop` of the range as views."""
        low = None if self._slice.key_low is None else self._slice.key_low[start:stop]
        return KeySlice(self._slice.key[start:stop], low, self._slice.row[start:stop])


def _position(columns: RangedColumns, bound: int) -> int:
    """Return how many keys lie below a bound.

    Keys are well mixed, so the first guess is the block where they should reach the bound; then halves.
    """
    total, size = columns.length("key"), columns.block_rows("key")
    low, high = 0, -(-total // size)
    guess = (bound * total >> 64) // size
    while low < high and bound < KEY_SPACE:
        guess = min(max(guess, low), high - 1)
        block = columns.block("key", guess)
        if bound <= int(block[0]):
            high = guess
        elif bound > int(block[-1]):
            low = guess + 1
        else:
            return guess * size + int(np.searchsorted(block, np.uint64(bound)))
        guess = (low + high) // 2
    return total if bound >= KEY_SPACE else min(low * size, total)
