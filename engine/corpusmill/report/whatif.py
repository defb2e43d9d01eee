"""What-if rendered: how many documents other options would remove, as text and as JSON."""

from __future__ import annotations

from typing import Any

from corpusmill.report.plain import count, number, share, table, visible
from corpusmill.runner.what_if import WhatIf


def what_if_text(told: WhatIf) -> str:
    """Return the answer for one step as text, ending with a newline."""
    lines = [f"{visible(told.step)} ({visible(told.uses)}): {count(told.judged)} documents reached it"]
    lines += [f"  {visible(name)}: {_value(old)} → {_value(new)}" for name, (old, new) in told.changed.items()]
    rows = [["", "in the run", "then", ""]]
    reasons = sorted({*told.before, *told.after}, key=lambda reason: (-told.after[reason], reason))
    for reason in reasons:
        before, after = told.before[reason], told.after[reason]
        rows.append([visible(reason, 40), count(before), count(after), _difference(before, after)])
    before, after = told.before.total(), told.after.total()
    rows.append(["removed", count(before), count(after), _difference(before, after)])
    kept = [told.judged - before, told.judged - after]
    rows.append(["kept", *map(count, kept), f"{_difference(*kept)} ({share(kept[1], told.judged)} of all)".strip()])
    lines += ["", *table(rows, ".rr"), ""]
    lines += _examples("newly removed", told.newly_removed, told.examples["newly_removed"])
    lines += _examples("newly kept", told.newly_kept, told.examples["newly_kept"])
    if not told.newly_removed and not told.newly_kept:
        lines.append("  No document's fate changes at this step.")
    return "\n".join(lines) + "\n"


def what_if_json(told: WhatIf) -> dict[str, Any]:
    """Return the answer as JSON values."""
    changed = {name: {"before": old, "after": new} for name, (old, new) in told.changed.items()}
    return {
        "step": told.step,
        "uses": told.uses,
        "options": changed,
        "documents": told.judged,
        "removed": {"before": dict(told.before), "after": dict(told.after)},
        "newly_removed": told.newly_removed,
        "newly_kept": told.newly_kept,
        "examples": dict(told.examples),
    }


def _examples(words: str, rows: int, ids: list[str]) -> list[str]:
    if not rows:
        return []
    more = ", …" if rows > len(ids) else ""
    return [f"  {count(rows)} {words}: {', '.join(visible(one) for one in ids)}{more}"]


def _difference(before: int, after: int) -> str:
    return f"{after - before:+,}" if after != before else ""


def _value(value: Any) -> str:
    return number(value) if value is not None else "not set"
