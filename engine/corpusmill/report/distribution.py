"""Distributions: histograms of measured signals as bars for SVG, cut where a rule's threshold runs through them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from corpusmill.ledger.histogram import LAST, bin_place
from corpusmill.report.findings import rule_text, signal_order
from corpusmill.report.plain import count, number

WIDTH, HEIGHT = 320, 112
LEFT, RIGHT, TOP, FLOOR = 6, 6, 8, 92
_FAR = 48
"""Bins: a threshold further than this from all values is told, not drawn; its line would squeeze the bars."""
_GAP = 0.8
_POWERS = sorted(range(-7, 13), key=abs)
_APART = 36
"""Pixels between labels."""


@dataclass(frozen=True)
class Bar:
    """One bin, or the piece of one on one side of a threshold; `title` says what is in the whole bin."""

    x: float
    y: float
    width: float
    height: float
    fails: bool
    title: str


@dataclass(frozen=True)
class Mark:
    """A vertical line at a threshold, or a label under the axis."""

    x: float
    label: str


@dataclass(frozen=True)
class Distribution:
    """One signal of one step, ready to draw in a WIDTH × HEIGHT box."""

    step: str
    signal: str
    facts: str
    limits: tuple[str, ...]
    bars: tuple[Bar, ...]
    thresholds: tuple[Mark, ...]
    ticks: tuple[Mark, ...]


def distributions(outputs: Mapping[str, Any]) -> list[Distribution]:
    """Return a picture of every signal that the run's steps measured, those with rules first, in the rules' order."""
    return [
        _drawn(step, name, told["signals"][name], [rule for rule in told["rules"] if rule["signal"] == name])
        for step, told in (outputs.get("signals") or {}).items()
        for name in signal_order(told)
    ]


def _facts(signal: Mapping[str, Any]) -> str:
    """'1,234 documents, 3 to 90,210, 2 without a value'."""
    words = [f"{count(signal['rows'])} document{'s' if signal['rows'] != 1 else ''}"]
    if signal["bins"]:
        ends = [_text(end) if end is not None else "∞" for end in (signal["least"], signal["largest"])]
        words.append(f"{ends[0]} to {ends[1]}" if ends[0] != ends[1] else f"all {ends[0]}")
    if signal["missing"]:
        words.append(f"{count(signal['missing'])} without a value")
    return ", ".join(words)


def _drawn(step: str, name: str, signal: Mapping[str, Any], rules: Sequence[Mapping[str, Any]]) -> Distribution:
    bins = {_place(low, high): (low, high, rows) for low, high, rows in signal["bins"]}
    limits = [(rule["side"], rule["threshold"]) for rule in rules if rule["threshold"] is not None]
    axis = _Axis(sorted(bins), [bin_place(threshold) for _, threshold in limits])
    most = max((rows for *_, rows in bins.values()), default=1)
    bars = [bar for place, one in bins.items() for bar in _bars(axis, place, one, limits, most)]
    lines = [Mark(x, _text(threshold)) for _, threshold in limits if (x := axis.x(bin_place(threshold))) is not None]
    told = tuple(rule_text(rule) for rule in rules)
    return Distribution(step, name, _facts(signal), told, tuple(bars), tuple(lines), tuple(axis.ticks()))


def _text(value: float) -> str:
    if abs(value) >= 1e15:
        return f"{value:.3g}"
    return number(int(value) if value == int(value) else value)


def _place(low: float | None, high: float | None) -> int:
    """Return the number of the bin with these edges."""
    if low is None or high is None:
        return -LAST if low is None else LAST
    return math.floor(bin_place((low + high) / 2))


def _bars(axis: _Axis, place: int, told: Any, limits: Sequence[tuple[str, float]], most: int) -> Iterator[Bar]:
    """Yield a bin's bar in as many pieces as thresholds cut it into; heights are logarithms of the counts."""
    low, high, rows = told
    height = max(2.0, (FLOOR - TOP) * math.log1p(rows) / math.log1p(most))
    cuts = [_cut(side, threshold) for side, threshold in limits]
    edges = sorted({place, place + 1.0, *(cut for cut in cuts if place < cut < place + 1)})
    title = f"{_range(low, high)}: {count(rows)}"
    for start, stop in pairwise(edges):
        middle = (start + stop) / 2
        fails = any(
            middle < cut if side == "least" else middle > cut for (side, _), cut in zip(limits, cuts, strict=True)
        )
        left, right = axis.x(start), axis.x(stop)
        assert left is not None
        assert right is not None
        width = max(right - left - (0.5 if stop == place + 1 else 0), 0.3)
        yield Bar(round(left, 2), round(FLOOR - height, 2), round(width, 2), round(height, 2), fails, title)


def _cut(side: str, threshold: float) -> float:
    """Return where a rule divides the axis; zero's bin is never cut, for all in it counts as zero."""
    place = bin_place(threshold)
    return place if not 0 < place < 1 else 0.0 if side == "least" else 1.0


def _range(low: float | None, high: float | None) -> str:
    if low is None:
        assert high is not None  # a bin is open at one end
        return f"below {_text(high)}"
    if high is None:
        return f"{_text(low)} and more"
    return "0" if low < 0 < high else f"{_text(low)} to {_text(high)}"


class _Axis:
    """Bins side by side; the empty ones between zero and the other values are left out."""

    def __init__(self, filled: Sequence[int], thresholds: Sequence[float]):
        near = [
            math.floor(place) for place in thresholds if not filled or filled[0] - _FAR <= place <= filled[-1] + _FAR
        ]
        places = sorted({*filled, *near}) or [0]
        groups = ([one for one in places if one < 0], [0] if 0 in places else [], [one for one in places if one > 0])
        self._blocks: list[tuple[int, int, float]] = []
        at = 0.0
        for group in groups:
            if not group:
                continue
            start, stop = group[0], group[-1] + 1
            joined = self._blocks and self._blocks[-1][1] == start
            at += 0 if joined or not self._blocks else _GAP
            self._blocks.append((start, stop, at))
            at += stop - start
        self._scale = (WIDTH - LEFT - RIGHT) / at

    def x(self, place: float) -> float | None:
        """Return the pixels from the left; None for what is not on the axis."""
        for start, stop, at in self._blocks:
            if start <= place <= stop:
                return LEFT + (at + place - start) * self._scale
        return None

    def ticks(self) -> list[Mark]:
        """Return labels at round values, roundest first, as many as fit."""
        taken: list[tuple[float, float]] = []
        values = [0.0, *(sign * factor * 10.0**power for factor in (1, 5, 2) for power in _POWERS for sign in (1, -1))]
        for value in values:
            x = self.x(bin_place(value))
            if x is not None and all(abs(x - other) >= _APART for other, _ in taken):
                taken.append((x, value))
        return [Mark(round(x, 2), _text(value)) for x, value in sorted(taken)]
