"""A trial as text and as JSON: each document with its verdict, values, difference or columns, and the sums."""

from __future__ import annotations

import json
import math
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import click

from corpusmill.cli.terminal import width
from corpusmill.face.trial import Trial, Tried
from corpusmill.report.difference import difference
from corpusmill.report.plain import number, table, visible
from corpusmill.report.plain import width as cells_of
from corpusmill.runner.decision import Signal

_MARKS = {"kept": ("✓", "green"), "changed": ("~", "yellow"), "grown": ("+", "cyan")}
_MARKS |= {"removed": ("✗", "red"), "failed": ("!", "magenta")}
_SIDES = {"most": "at most", "least": "at least"}
_INDENT = " " * 6
_FEW = 4
"""Values of a document that are shown one a line."""
_SHRUNK = 400
"""Characters of a smallest text that are shown."""


def say_trial(trial: Trial, *, title: str) -> None:
    """Print a trial for people; colours go where the output is no terminal, and where NO_COLOR is set."""
    for line in trial_lines(trial, title):
        click.echo(line)


def trial_lines(trial: Trial, title: str) -> Iterator[str]:
    """Yield the lines of a trial. Foreign text in them is harmless: escapes are those of the colours alone."""
    yield click.style(visible(title), bold=True)
    yield from _before(trial)
    yield from _rules(trial)
    for one in trial.tried:
        yield ""
        yield from _document(one)
    yield ""
    yield from _rejected(trial)
    yield _summary(trial)


def trial_json(trial: Trial) -> dict[str, Any]:
    """Return a trial as JSON values; texts are whole."""
    return {
        "step": trial.step,
        "uses": trial.uses,
        "before": [{"step": one.step, "uses": one.uses, **one.counts} for one in trial.before],
        "documents": [_as_json(one) for one in trial.tried],
        "rejected": [_plain({**one, "raw": one["raw"].decode("utf-8", "replace")}) for one in trial.rejected],
        "damaged": list(trial.damaged),
        "counts": dict(Counter(one.decision.verdict for one in trial.tried)),
    }


def _before(trial: Trial) -> list[str]:
    rows = [[visible(one.step), visible(one.uses), *_counts(one.counts)] for one in trial.before]
    return table(rows, "..rr") if rows else []


def _counts(counts: Mapping[str, Any]) -> list[str]:
    reasons = [f"{rows} removed: {visible(reason)}" for reason, rows in (counts.get("removed") or {}).items()]
    reasons += [f"{rows} quarantined: {visible(why)}" for why, rows in (counts.get("quarantined") or {}).items()]
    reasons += [f"{counts['changed']} changed"] if counts.get("changed") else []
    return [f"{counts['in']} in", f"{counts['out']} out", ", ".join(reasons)]


def _document(one: Tried) -> Iterator[str]:
    mark, colour = _MARKS[one.decision.verdict]
    place = f"  {visible(one.file, 60)} @ {one.offset}" if one.file else ""
    head = f"{click.style(mark, fg=colour)} {one.number + 1:>3}  {visible(one.id)[:8]}"
    yield f"{head}  {_verdict(one)}{click.style(place, dim=True)}"
    decision = one.decision
    if decision.detail:
        yield f"{_INDENT}detail: {visible(decision.detail, 100)}"
    if decision.other:
        yield f"{_INDENT}kept instead: {visible(decision.other)[:8]}"
    yield from _signals(decision.signals)
    for name, value in decision.columns:
        yield f"{_INDENT}{visible(name)} = {visible(number(value), 100)}"
    if decision.verdict == "changed" and decision.before is not None and decision.after is not None:
        room = width() - len(_INDENT) - 2
        for line in difference(decision.before, decision.after, shown=10, width=room, colour=True):
            yield _INDENT + line
    else:
        yield _INDENT + click.style(_excerpt(one.text), dim=True)
    yield from _made(one)
    yield from _failure(one)


def _verdict(one: Tried) -> str:
    decision = one.decision
    if decision.verdict == "failed":
        return click.style("failed", fg="magenta", bold=True)
    if decision.verdict != "removed":
        return decision.verdict if decision.verdict != "grown" else f"became {len(one.made)}"
    value = "" if decision.value is None else f": {number(decision.value)}"
    against = "" if decision.threshold is None or not value else f" (threshold {number(decision.threshold)})"
    return f"removed by {visible(decision.rule or '')}{value}{against}"


def _rules(trial: Trial) -> list[str]:
    """Say the rules of a filter once where it has too many to repeat them with every document."""
    signals = next((one.decision.signals for one in trial.tried if one.decision.signals), ())
    if len(signals) <= _FEW:
        return []
    held = dict.fromkeys((one.name, _against(one)) for one in signals if one.threshold is not None)
    rules = ", ".join(f"{visible(name)} {against}" for name, against in held)
    return textwrap.wrap(f"keeps: {rules}", width() - 2, initial_indent="  ", subsequent_indent="  ")


def _signals(signals: Sequence[Signal]) -> list[str]:
    """Return measured values: a table of a few; of many those that failed, and the others in a line."""
    failed = [one for one in signals if not one.passed]
    rows = signals if len(signals) <= _FEW else failed
    lines = table([_signal(one) for one in rows], "..r", indent=_INDENT)
    if len(signals) > _FEW:
        shown = {one.name for one in failed}
        values = {one.name: one.value for one in signals if one.name not in shown and one.value is not None}
        others = ", ".join(f"{visible(name)} {number(value)}" for name, value in values.items())
        lines += textwrap.wrap(others, width() - 6, initial_indent=_INDENT, subsequent_indent=_INDENT)
    return lines


def _against(signal: Signal) -> str:
    return "" if signal.threshold is None else f"{_SIDES.get(signal.side, '')} {number(signal.threshold)}".strip()


def _signal(signal: Signal) -> list[str]:
    value = "" if signal.value is None else number(signal.value)
    return ["✓" if signal.passed else "✗", visible(signal.name), value, _against(signal)]


def _made(one: Tried) -> Iterator[str]:
    for made in one.made if one.decision.verdict == "grown" else ():
        yield f"{_INDENT}{visible(made.deed or 'left as it was')}: {_excerpt(made.text)}"


def _failure(one: Tried) -> Iterator[str]:
    failure = one.failure
    if failure is None:
        return
    yield f"{_INDENT}{click.style(visible(failure.words, 300), fg='magenta')}"
    if failure.same_as is not None:
        yield f"{_INDENT}as document {failure.same_as + 1}, at {visible(failure.where or '?')}"
        return
    if failure.where:
        yield f"{_INDENT}at {visible(failure.where)}" + (f": {visible(failure.line, 100)}" if failure.line else "")
    if one.text is None:
        yield f"{_INDENT}its text is null"
    elif failure.smallest is not None:
        yield f"{_INDENT}smallest text that does it: {_spelt(failure.smallest)}"


def _spelt(text: str) -> str:
    """Spell a text so that nothing in it is hidden: escapes for what is not plain, and beside them how it looks."""
    spelt = json.dumps(text[:_SHRUNK], ensure_ascii=True)
    more = f" … {len(text)} characters" if len(text) > _SHRUNK else ""
    looks = visible(text, 60)
    return f"{spelt}{more}" + (f"  ({looks})" if looks and not text.isascii() else "")


def _rejected(trial: Trial) -> Iterator[str]:
    for one in trial.rejected[:5]:
        yield f"turned away by its reader: {visible(one['file'], 60)} @ {one['offset']}: {visible(one['reason'])}"
    if len(trial.rejected) > 5:
        yield f"… and {len(trial.rejected) - 5} more"
    for words in trial.damaged:
        yield f"damaged: {visible(words, 120)}"


def _summary(trial: Trial) -> str:
    if not trial.tried:
        return "no document came this far; more of them with --rows, or look at the steps before"
    counted = Counter(one.decision.verdict for one in trial.tried)
    reasons = Counter(one.decision.rule or "" for one in trial.tried if one.decision.verdict == "removed")
    why = f" ({', '.join(f'{visible(rule)} {rows}' for rule, rows in reasons.most_common())})" if reasons else ""
    words = [
        f"{counted[verdict]} {verdict}{why if verdict == 'removed' else ''}" for verdict in _MARKS if counted[verdict]
    ]
    total = len(trial.tried)
    return f"{total} document{'s' if total > 1 else ''}: {', '.join(words)}"


def _excerpt(text: str | None) -> str:
    if text is None:
        return "null"
    return _cut(visible(text, width())) or "(empty)"


def _cut(line: str) -> str:
    """Cut a line to what is left of the terminal's width; wide characters take two cells."""
    room, cells = width() - len(_INDENT) - 2, 0
    for at, character in enumerate(line):
        cells += cells_of(character)
        if cells > room:
            return line[: max(at - 1, 0)] + "…"
    return line


def _as_json(one: Tried) -> dict[str, Any]:
    told = asdict(one)
    told["columns"] = dict(told["decision"].pop("columns"))
    return dict(_plain(told))


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value
