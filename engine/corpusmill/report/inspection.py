"""Inspection: what `show` tells about a dataset, an artifact or a published folder, as text and as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from corpusmill.report.findings import rule_text, scores, signal_order, split_text
from corpusmill.report.plain import number, table, visible

_CELL = 160
"""Characters of a value shown in text; `--json` gives all of it."""


@dataclass(frozen=True)
class Inspection:
    """What was found: `facts` in the order they are shown, columns with their types, the first rows, metrics."""

    title: str
    facts: Mapping[str, Any]
    columns: Sequence[tuple[str, str]] = ()
    first: Sequence[Mapping[str, Any]] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    signals: Mapping[str, Any] = field(default_factory=dict)
    """What a filter measured, as `outputs.json` tells it: `rules`, and histograms by signal."""


def inspection_text(found: Inspection) -> str:
    """Return what was found as text, ending with a newline; nothing in it can steer the terminal."""
    facts = [
        [visible(name), _fact(name, value)] for name, value in found.facts.items() if value not in (None, "", {}, [])
    ]
    lines = [visible(found.title), *table(facts)]
    if found.signals:
        lines += ["", *_signals(found.signals)]
    if found.columns:
        lines += ["", "columns", *table([[visible(name), visible(kind)] for name, kind in found.columns])]
    for place, row in enumerate(found.first):
        lines += ["", f"row {place}", *table([[visible(name), _cell(value)] for name, value in row.items()])]
    for scored in scores({"outputs": {"": {"kind": "metrics", "values": found.values}}}) if found.values else ():
        lines += ["", *table([["", *scored.names], *([label or "all", *row] for label, row in scored.rows)])]
    return "\n".join(lines) + "\n"


def inspection_json(found: Inspection) -> dict[str, Any]:
    """Return what was found as JSON values, rows uncut."""
    shown: dict[str, Any] = {"title": found.title, **found.facts}
    if found.columns:
        shown["schema"] = [{"name": name, "type": kind} for name, kind in found.columns]
    if found.first:
        shown["first"] = list(found.first)
    if found.values:
        shown["values"] = found.values
    if found.signals:
        shown |= {name: found.signals[name] for name in ("rules", "signals")}
    return {name: _plain(value) for name, value in shown.items()}


def _signals(told: Mapping[str, Any]) -> list[str]:
    rows = [["signal", "documents", "least", "largest", "missing", "rules"]]
    for name in signal_order(told):
        one = told["signals"][name]
        ends = [number(end) for end in (one["least"], one["largest"])]
        limits = ", ".join(rule_text(rule) for rule in told["rules"] if rule["signal"] == name)
        rows.append([visible(name, 40), number(one["rows"]), *ends, number(one["missing"]), visible(limits, 120)])
    return table(rows, ".rrrr")


def _fact(name: str, value: Any) -> str:
    if name == "splits" and isinstance(value, Mapping):
        return split_text(value, "tokens")
    if isinstance(value, Mapping):
        return ", ".join(f"{visible(key)} {number(one)}" for key, one in value.items())
    return number(value) if isinstance(value, int | float) else visible(value)


def _cell(value: Any) -> str:
    if value is None:
        return "null"
    return visible(value if isinstance(value, str) else repr(value), _CELL)


def _plain(value: Any) -> Any:
    """Return JSON values; bytes as hex, numbers JSON lacks as null, anything else as its text."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value.hex() if isinstance(value, bytes) else str(value)
