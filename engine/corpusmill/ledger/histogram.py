"""Histograms of measured numbers over bins that depend on no data, so that those of any shards add up."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

PARTS = 8
"""Bins in each doubling of a value: a power of two, for a bin is read off the first bits of the number."""
_LOW, _HIGH = -24, 40
LAST = (_HIGH - _LOW) * PARTS + 1
"""Bins go from -LAST to LAST. 0 holds everything nearer to zero than 2^-24, the outermost what is beyond 2^40."""
_SHIFT = 52 - (PARTS.bit_length() - 1)
_BELOW = (1023 + _LOW) * PARTS - 1
_PENDING = 8_192


class Histogram:
    """How often a number fell into each bin, beside its least and largest value and how often it was missing.

    Bins follow the floating-point form of a number, like those of HDR histograms: each doubling is cut into PARTS
    equal bins, so that shares, counts and scores fit the same bins, to an eighth at worst. Nothing in here depends on
    the order of the values, nor on how they were cut into batches.
    """

    def __init__(self) -> None:
        self.missing = 0
        self.least, self.largest = math.inf, -math.inf
        self._counts = np.zeros(2 * LAST + 1, np.int64)
        # Small batches wait here for each other: counting costs the same for ten numbers as for a thousand.
        self._waiting = np.empty(_PENDING)
        self._held = 0

    def add(self, values: npt.NDArray[np.float64]) -> None:
        """Count values, float64 (n,); NaN counts as missing."""
        start, room = 0, _PENDING - self._held
        while len(values) - start >= room:
            self._waiting[self._held :] = values[start : start + room]
            self._count(self._waiting)
            start, self._held, room = start + room, 0, _PENDING
        rest = len(values) - start
        self._waiting[self._held : self._held + rest] = values[start:]
        self._held += rest

    def merge(self, other: Histogram) -> None:
        """Add what another shard counted."""
        self._flush()
        other._flush()
        self.missing += other.missing
        self.least, self.largest = min(self.least, other.least), max(self.largest, other.largest)
        self._counts += other._counts

    @property
    def rows(self) -> int:
        """How many values there were, missing ones included."""
        self._flush()
        return int(self._counts.sum()) + self.missing

    @property
    def bins(self) -> dict[int, int]:
        """Bin -> values in it, ascending, without empty bins."""
        self._flush()
        filled = np.flatnonzero(self._counts)
        return dict(zip((filled - LAST).tolist(), self._counts[filled].tolist(), strict=True))

    def to_json(self) -> dict[str, Any]:
        """Return what a commit record holds; `bins` is `first count step count …`, each bin told by its distance."""
        words, before = [], 0
        for place, rows in self.bins.items():
            words += [str(place - before), str(rows)]
            before = place
        return {
            "bins": " ".join(words),
            "missing": self.missing,
            "least": _number(self.least) if words else None,
            "largest": _number(self.largest) if words else None,
        }

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> Histogram:
        """Read a histogram from a record."""
        read = Histogram()
        words = list(map(int, value["bins"].split()))
        read._counts[np.cumsum(words[::2], dtype=np.int64) + LAST] = words[1::2]
        read.missing = value["missing"]
        if words:
            read.least, read.largest = float(value["least"]), float(value["largest"])
        return read

    def _flush(self) -> None:
        held, self._held = self._held, 0
        if held:
            self._count(self._waiting[:held])

    def _count(self, values: npt.NDArray[np.float64]) -> None:
        least, largest = values.min(), values.max()
        if math.isnan(least):
            there = values[~np.isnan(values)]
            self.missing += len(values) - len(there)
            if not len(there):
                return
            values, least, largest = there, there.min(), there.max()
        # Adding zero turns -0.0 into 0.0: which of the two comes first must not show.
        self.least, self.largest = min(self.least, float(least) + 0.0), max(self.largest, float(largest) + 0.0)
        places = np.abs(values).view(np.int64)
        places >>= _SHIFT
        places -= _BELOW
        np.clip(places, 0, LAST, out=places)
        if least < 0:
            np.negative(places, out=places, where=values < 0)
            self._counts += np.bincount(places + LAST, minlength=2 * LAST + 1)
        else:
            self._counts[LAST:] += np.bincount(places, minlength=LAST + 1)


def bin_edges(place: int) -> tuple[float, float]:
    """Return (low, high) of a bin: values from low to below high, mirrored for negative ones; infinite at the ends."""
    if place < 0:
        low, high = bin_edges(-place)
        return -high, -low
    return (_edge(place), _edge(place + 1)) if place else (-_edge(1), _edge(1))


def bin_place(value: float) -> float:
    """Return where a value lies on the axis on which each bin n, negative ones too, reaches from n to n + 1.

    What falls into bin 0 lies in the middle of it.
    """
    size = abs(value)
    if math.isnan(size) or size < _edge(1):
        return 0.5
    if size >= _edge(LAST):
        place = float(LAST)
    else:
        fraction, exponent = math.frexp(size)
        place = (exponent - 1 - _LOW) * PARTS + 1 + (2 * fraction - 1) * PARTS
    return place if value > 0 else 1 - place


def _edge(place: int) -> float:
    if place > LAST:
        return math.inf
    octave, part = divmod(place - 1, PARTS)
    return math.ldexp(1 + part / PARTS, octave + _LOW)


def _number(value: float) -> float | str:
    """JSON has no infinities; as text they stay what they are."""
    return value if math.isfinite(value) else str(value)
