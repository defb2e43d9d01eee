"""Decisions rendered: one document's way through a run, as text and as JSON."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from corpusmill.report.difference import difference
from corpusmill.report.plain import BOLD, DIM, GREEN, RED, YELLOW, count, number, painted, table, visible
from corpusmill.runner.decision import Fate, Signal, StepDecision, TokenPlace

_MARKS = {"kept": "✓", "changed": "✓", "removed": "✗", "quarantined": "!", "unknown": "·"}
_WORDS = {"most": "at most", "least": "at least"}
_INKS = {"kept": GREEN, "changed": YELLOW, "removed": RED, "quarantined": RED}
_INDENT = " " * 7
_CHANGES, _WINDOWS = 12, 5
"""Lines of a difference, and windows named one by one."""

Ink = Callable[..., str]


def _plainly(text: str, *_: int) -> str:
    return text


def fate_text(fate: Fate, *, colour: bool = False) -> str:
    """Return the way of one document as text, ending with a newline; `colour` paints verdicts and changes."""
    ink = painted if colour else _plainly
    place = f"{visible(fate.file)} @ {fate.offset}" if fate.file is not None else "place unknown"
    lines = [ink(f"document {visible(fate.id)}", BOLD), f"  from {place}", ""]
    rows = [
        [_MARKS.get(one.verdict, "?"), visible(one.step), visible(one.uses), _verdict(one)] for one in fate.decisions
    ]
    for row, decision in zip(table(rows), fate.decisions, strict=True):
        lines += [_marked(row, decision.verdict, ink), *_details(decision, ink, colour=colour)]
    if fate.tokens:
        lines += ["", *map(_tokens, fate.tokens)]
    ending = ink(_ending(fate), BOLD, GREEN if fate.outcome == "kept" else RED)
    return "\n".join([*lines, "", ending]) + "\n"


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


def _marked(row: str, verdict: str, ink: Ink) -> str:
    """Paint the mark in front of a step, and all of a line that tells of an end."""
    if verdict in ("removed", "quarantined"):
        return "  " + ink(row[2:], _INKS[verdict])
    return f"{row[:2]}{ink(row[2:3], _INKS.get(verdict, DIM))}{row[3:]}"


def _details(one: StepDecision, ink: Ink, *, colour: bool) -> list[str]:
    lines = []
    if one.note:
        lines.append(_INDENT + ink(f"! {visible(one.note, 200)}", YELLOW))
    if one.detail:
        lines.append(f"{_INDENT}detail: {visible(one.detail, 100)}")
    if one.other:
        lines.append(f"{_INDENT}kept instead: {visible(one.other)}")
    lines += [f"{_INDENT}{visible(name)} = {visible(number(value), 100)}" for name, value in one.columns]
    for row, signal in zip(table([_signal(one) for one in one.signals], "..r", indent=""), one.signals, strict=True):
        lines.append(_INDENT + ink(row[:1], GREEN if signal.passed else RED) + row[1:])
    if one.before is not None and one.after is not None and one.before != one.after:
        lines += [_INDENT + line for line in difference(one.before, one.after, shown=_CHANGES, colour=colour)]
    return lines


def _tokens(place: TokenPlace) -> str:
    """'tokens of tokens: split train, document 17 in part 0, 412 tokens in windows 33 to 35 of 1,200'."""
    split = f"split {visible(place.split)}, " if place.split else ""
    told = f"tokens of {visible(place.step)}: {split}document {count(place.document)} in part {place.part}, "
    told += f"{count(place.tokens)} token{'s' if place.tokens != 1 else ''}"
    if not place.windows:
        return f"{told}, in no window"
    first, last = place.windows[0], place.windows[-1]
    if place.windows != tuple(range(first, last + 1)):
        some = ", ".join(map(count, place.windows[:_WINDOWS])) + ("…" if len(place.windows) > _WINDOWS else "")
        which = f"windows {some}"
    else:
        which = f"window {count(first)}" if first == last else f"windows {count(first)} to {count(last)}"
    behind = f", behind {count(place.before)} of others" if place.before else ""
    return f"{told} in {which} of {count(place.of)}{behind}"


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
