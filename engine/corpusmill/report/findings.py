"""Findings: what a run measured and made beside documents, flattened for tables whatever operators said it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from corpusmill.report.plain import number, visible

SPLIT_ORDER = ("train", "validation", "test")
METRIC_ORDER = (
    "perplexity",
    "unigram_perplexity",
    "bits_per_byte",
    "accuracy",
    "majority_baseline",
    "f1_macro",
    "loss",
)


@dataclass(frozen=True)
class Scores:
    """The metrics of one evaluation: one row a split label (or one row without label), one column a metric."""

    step: str
    names: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True)
class Curve:
    """One metric over the steps of one stage's work."""

    stage: str
    name: str
    points: tuple[tuple[float, float], ...]


def outputs_of(outputs: Mapping[str, Any], *kinds: str) -> dict[str, Mapping[str, Any]]:
    """Return step -> its default output for the artifacts of some kinds, in the order of the run."""
    made: Mapping[str, Mapping[str, Any]] = outputs.get("outputs") or {}
    return {step: one for step, one in made.items() if one.get("kind") in kinds and "." not in step}


def scores(outputs: Mapping[str, Any]) -> list[Scores]:
    """Return the metrics of every evaluation; deeper values (confusion tables) stay in its metrics.json."""
    return [_scores(step, one.get("values") or {}) for step, one in outputs_of(outputs, "metrics").items()]


def signal_order(told: Mapping[str, Any]) -> list[str]:
    """Return the signals of a step in its rules' order, then those without a rule: files sort their keys."""
    first = [rule["signal"] for rule in told["rules"]]
    return sorted(told["signals"], key=lambda name: (first.index(name) if name in first else len(first), name))


def rule_text(rule: Mapping[str, Any]) -> str:
    """'at least 50 (too_few_words)'."""
    side = "at least" if rule["side"] == "least" else "at most"
    limit = "∞" if rule["threshold"] is None else number(rule["threshold"])
    return f"{side} {limit}" + (f" ({rule['reason']})" if rule["reason"] not in ("", rule["signal"]) else "")


def split_text(splits: Mapping[str, Any] | None, field: str | None = None) -> str:
    """'train 900, validation 50, test 50'; `field` picks the number where a split is itself a mapping."""
    numbers = {
        label: one.get(field) if isinstance(one, Mapping) and field else one for label, one in (splits or {}).items()
    }
    ordered = sorted(numbers, key=_split_rank)
    return ", ".join(f"{visible(label) or 'all'} {number(numbers[label])}" for label in ordered)


def scalars(summary: Any, limit: int = 8) -> list[tuple[str, str]]:
    """Return (name, value as text) of the plain values of a summary."""
    if not isinstance(summary, Mapping):
        return []
    flat = [(str(name), value) for name, value in summary.items() if isinstance(value, int | float | str)]
    return [(visible(name.replace("_", " "), 40), number(value)) for name, value in flat][:limit]


def curves(events: Sequence[Any]) -> list[Curve]:
    """Return one curve for each metric told at two or more steps, from a journal's events."""
    points: dict[tuple[str, str], dict[float, float]] = {}
    for event in events:
        if event.event != "metrics":
            continue
        for name, value in (event.data.get("values") or {}).items():
            try:
                at, height = float(event.data["step"]), float(value)
            except (KeyError, TypeError, ValueError):
                continue
            # A resumed stage tells some steps again: the later word counts.
            points.setdefault((str(event.data.get("id", "?")), str(name)), {})[at] = height
    drawn = [Curve(*key, tuple(sorted(one.items()))) for key, one in points.items() if len(one) > 1]
    return sorted(drawn, key=lambda curve: "loss" not in curve.name)


def _scores(step: str, values: Mapping[str, Any]) -> Scores:
    groups = values.get("splits")
    if not isinstance(groups, Mapping):  # metrics without splits, or labels at the top
        groups = {label: one for label, one in values.items() if isinstance(one, Mapping)}
        plain = {name: one for name, one in values.items() if isinstance(one, int | float | str)}
        groups = {**groups, "": plain} if plain else groups
    flat = {label: _plain_values(groups[label]) for label in sorted(groups, key=_split_rank)}
    names = sorted(dict.fromkeys(name for one in flat.values() for name in one), key=_metric_rank)
    rows = [(label, tuple(number(one[name]) if name in one else "-" for name in names)) for label, one in flat.items()]
    return Scores(step, tuple(names), tuple(rows))


def _plain_values(one: Any) -> dict[str, Any]:
    known = one if isinstance(one, Mapping) else {}
    return {str(name): value for name, value in known.items() if isinstance(value, int | float | str)}


def _metric_rank(name: str) -> int:
    """Headline metrics first, each beside what it is measured against; the rest as the operator ordered it."""
    return METRIC_ORDER.index(name) if name in METRIC_ORDER else len(METRIC_ORDER)


def _split_rank(label: str) -> tuple[int, str]:
    return (SPLIT_ORDER.index(label) if label in SPLIT_ORDER else len(SPLIT_ORDER), label)
