"""Commands worth typing after a run, made from what the run did."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Mapping
from typing import Any

from corpusmill.report.findings import outputs_of
from corpusmill.report.funnel import Funnel, build_funnel
from corpusmill.runner.records import DEFAULT_STORE


def next_commands(
    outputs: Mapping[str, Any],
    *,
    plan: Mapping[str, Any] | None = None,
    store: str | None = None,
    spec: str | None = None,
    removed_id: str | None = None,
    typed: str | None = None,
) -> list[str]:
    """Return up to three commands: look at the dataset, ask why a document left, try another threshold.

    `spec`: the pipeline file as the user named it; `removed_id`: a document the run removed; `typed`: the whole command
    as it was typed. After a run that did not finish, the first is the same command again, options included: it resumes.
    """
    name, place = shlex.quote(str(outputs.get("name", ""))), _place(store)
    commands = []
    if outputs.get("status", "done") != "done" and spec:
        commands.append(typed or f"corpusmill run {shlex.quote(spec)}{place}")
    datasets = list(outputs_of(outputs, "documents"))
    if datasets:
        commands.append(f"corpusmill show run:{name}/{datasets[-1]}{place}")
    if removed_id:
        commands.append(f"corpusmill explain {name} {shlex.quote(removed_id)}{place}")
    change = _change(build_funnel(outputs), plan or {})
    if change and spec:
        commands.append(f"corpusmill plan {shlex.quote(spec)} --set {change}{place}")
    if len(commands) < 3:
        commands.append(f"corpusmill status {name}{place}")
    return commands[:3]


def _place(store: str | None) -> str:
    return "" if store in (None, DEFAULT_STORE) else f" --store {shlex.quote(str(store))}"


def _change(funnel: Funnel, plan: Mapping[str, Any]) -> str | None:
    """'near.threshold=0.8': a number of the step that removed most, moved a little; a `threshold` comes first."""
    lost = {step.id: step.lost for step in funnel.steps if step.lost}
    options = {str(one["id"]): one.get("options") or {} for stage in plan.get("stages", []) for one in stage["steps"]}
    found = [
        (name != "threshold", -lost[step], step, name, value)
        for step in lost
        for name, value in options.get(step, {}).items()
        if isinstance(value, int | float) and not isinstance(value, bool) and re.search("threshold|min|max", name)
    ]
    if not found:
        return None
    _, _, step, name, value = min(found)
    return f"{step}.{name}={_moved(value)}"


def _moved(value: float) -> str:
    """Another sensible value, a round step away: 0.7 -> 0.8, 0.95 -> 0.85, 30 -> 40, 1000 -> 1200."""
    if isinstance(value, int):
        wanted = max(abs(value) / 5, 1)
        power = 10 ** int(math.log10(wanted))
        return str(value + next(factor * power for factor in (1, 2, 5, 10) if factor * power >= wanted))
    if 0 <= value <= 1:
        return f"{value + 0.1 if value <= 0.85 else value - 0.1:.4g}"
    return f"{value * 1.25:.4g}"
