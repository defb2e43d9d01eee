"""Charts: curves as SVG coordinates, scaled and with readable ticks; the template draws them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from corpusmill.report.findings import Curve
from corpusmill.report.plain import number

WIDTH, HEIGHT = 500, 190
LEFT, RIGHT, TOP, BOTTOM = 50, 10, 10, 26
_POINTS = 400
"""Points drawn at most: more than the pixels there are would only make the file heavy."""


@dataclass(frozen=True)
class Tick:
    """A mark on an axis: pixels from the left (or top), and its label."""

    at: float
    label: str


@dataclass(frozen=True)
class Chart:
    """One curve ready to draw: `path` is SVG points in a WIDTH × HEIGHT box."""

    stage: str
    name: str
    path: str
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    first: str
    last: str


def draw(curve: Curve) -> Chart | None:
    """Return the chart of a curve, or None when fewer than two of its points are finite numbers."""
    points = [point for point in curve.points if all(map(math.isfinite, point))]
    if len(points) < 2:
        return None
    xs, ys = [x for x, _ in points], [y for _, y in points]
    low, high = min(ys), max(ys)
    margin = (high - low) * 0.05 or abs(high) * 0.05 or 1.0
    low, high = low - margin, high + margin
    path = " ".join(
        f"{_scale(x, xs[0], xs[-1], LEFT, WIDTH - RIGHT):.1f},{_scale(y, low, high, HEIGHT - BOTTOM, TOP):.1f}"
        for x, y in _thinned(points)
    )
    across = tuple(Tick(_scale(x, xs[0], xs[-1], LEFT, WIDTH - RIGHT), number(x)) for x in _ticks(xs[0], xs[-1], 6))
    up = tuple(Tick(_scale(y, low, high, HEIGHT - BOTTOM, TOP), number(y)) for y in _ticks(low, high, 5))
    return Chart(curve.stage, curve.name, path, across, up, number(ys[0]), number(ys[-1]))


def _scale(value: float, low: float, high: float, start: float, stop: float) -> float:
    return start + (stop - start) * (value - low) / (high - low)


def _ticks(low: float, high: float, wanted: int) -> list[float]:
    """Return round values between low and high: steps of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(place * step, 12) for place in range(first, math.floor(high / step + 1e-9) + 1)]


def _thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Keep at most _POINTS points, evenly taken, the last always: it is the number people look for."""
    step = -(-len(points) // _POINTS)
    kept = points[::step]
    return kept if kept[-1] == points[-1] else [*kept, points[-1]]
