"""Decisions rendered: one document's way through a run, as text and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from corpusmill.report.difference import difference
from corpusmill.report.plain import number, table, visible
from corpusmill.runner.decision import Fate, Signal, StepDecision

_MARKS = {"kept": "✓", "changed": "✓", "removed": "✗", "quarantined": "!", "unknown": "·"}
_WORDS = {"most": "at most", "least": "at least"}
_INDENT = " " * 7


def fate_text(fate: Fate) -> str:
    """Return the way of one document as text, ending with a newline."""
    place = f"{visible(fate.file)} @ {fate.offset}" if fate.file is not None else "place unknown"
    lines = [f"document {visible(fate.id)}", f"  from {place}", ""]
    rows = [
        [_MARKS.get(one.verdict, "?"), visible(one.step), visible(one.uses), _verdict(one)] for one in fate.decisions
    ]
    for row, decision in zip(table(rows), fate.decisions, strict=True):
        lines += [row, *_details(decision)]
    return "\n".join([*lines, "", _ending(fate)]) + "\n"


def fate_json(fate: Fate) -> dict[str, Any]:
    """Return the way of one document as JSON values; text stays as it is."""
    return asdict(fate)


def _verdict(one: StepDecision) -> str:
    if one.uses.startswith("read.") and one.verdict in ("unknown", "kept"):
        return "read"
    if one.verdict == "unknown":
        return "passed"
    if one.verdict == "quarantined" and one.rule:
        return f"quarantined: {visible(one.rule)}"
    if one.verdict != "removed" or not one.rule:
        return one.verdict
    against = "" if one.threshold is None else f" (threshold {number(one.threshold)})"
    value = "" if one.value is None else f": {number(one.value)}{against}"
    return f"removed by {visible(one.rule)}{value}"


def _details(one: StepDecision) -> list[str]:
    lines = []
    if one.note:
        lines.append(f"{_INDENT}! {visible(one.note, 200)}")
    if one.detail:
        lines.append(f"{_INDENT}detail: {visible(one.detail, 100)}")
    if one.other:
        lines.append(f"{_INDENT}kept instead: {visible(one.other)}")
    lines += [f"{_INDENT}{visible(name)} = {visible(number(value), 100)}" for name, value in one.columns]
    lines += table([_signal(signal) for signal in one.signals], "..r", indent=_INDENT)
    if one.before is not None and one.after is not None and one.before != one.after:
        lines += [f"{_INDENT}{line}" for line in difference(one.before, one.after)]
    return lines


def _signal(signal: Signal) -> list[str]:
    against = "" if signal.threshold is None else f"{_WORDS.get(signal.side, '')} {number(signal.threshold)}".strip()
    return [
        "✓" if signal.passed else "✗",
        visible(signal.name),
        "" if signal.value is None else number(signal.value),
        against,
    ]


def _ending(fate: Fate) -> str:
    if fate.outcome == "removed":
        return f"removed at {visible(fate.decisions[-1].step)}" if fate.decisions else "removed"
    if fate.outcome == "kept":
        return "kept: it stands in " + ", ".join(map(visible, fate.found_in))
    return visible(fate.outcome)
