"""The numbers of a finished stage that are worth a place beside its metrics."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

_NOT_IN_NAMES = re.compile(r"[^\w\-./ ]")
"""What MLflow refuses in a name; TensorBoard takes the same ones."""


def metric_name(*parts: str) -> str:
    """Return a name such as `model/loss` that both systems accept."""
    return _NOT_IN_NAMES.sub("-", "/".join(parts))


def finite(values: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    """Yield what can be drawn: neither NaN nor an infinity."""
    return ((name, float(value)) for name, value in values.items() if math.isfinite(value))


def stage_numbers(stage: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Yield name, number for each step of a finished stage: rows in and out, removed by reason, quarantined."""
    for step, counts in stage["counts"].items():
        yield metric_name(step, "in"), counts["in"]
        yield metric_name(step, "out"), counts["out"]
        for what in ("removed", "quarantined"):
            for reason, rows in counts[what].items():
                yield metric_name(step, what, reason), rows


def evaluation_numbers(outputs: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Yield name, number for each metrics artifact of a run: `score/test/perplexity`."""
    for step, output in outputs.items():
        yield from _below(step, output.get("values") or {})


def _below(name: str, values: Any) -> Iterator[tuple[str, float]]:
    if isinstance(values, Mapping):
        for key, value in values.items():
            yield from _below(metric_name(name, str(key)), value)
    elif isinstance(values, (int, float)) and not isinstance(values, bool) and math.isfinite(values):
        yield name, float(values)
