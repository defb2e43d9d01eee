"""The summary: what a run made, as the text that `run` ends with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from corpusmill.report.findings import curves, outputs_of, scalars, scores, split_text
from corpusmill.report.funnel import Funnel, StepCounts, build_funnel
from corpusmill.report.plain import count, duration, share, table, visible
from corpusmill.report.sections import cut_text

_REASONS = 4
"""Reasons named in a line of the funnel; the report has all."""


def summarise(
    outputs: Mapping[str, Any],
    *,
    plan: Mapping[str, Any] | None = None,
    events: Sequence[Any] = (),
    commands: Sequence[str] = (),
    report: str | None = None,
) -> str:
    """Return the end-of-run text, ending with a newline.

    `outputs`: what `outputs.json` holds. `plan`: `plan.json`. `events`: the journal, for loss. `commands`: what
    is worth typing next. `report`: where the HTML report lies. Every text from outside is made harmless.
    """
    funnel = build_funnel(outputs, plan)
    sections = [
        ("", [_headline(outputs), *_error(outputs)]),
        ("Documents", _documents(funnel)),
        ("Steps", _steps(funnel)),
        ("Damaged files", _damaged(outputs)),
        ("Tokens and model", _training(outputs, events)),
        ("Evaluation", _evaluation(outputs)),
        ("Made", _made(outputs, report)),
        ("Next", [f"  {visible(command)}" for command in commands]),
    ]
    blocks = ["\n".join([*([title] if title else []), *lines]) for title, lines in sections if lines]
    return "\n\n".join(blocks) + "\n"


def _headline(outputs: Mapping[str, Any]) -> str:
    status = str(outputs.get("status", "done"))
    return (
        f"{visible(outputs.get('name', 'run'))}: {visible(status)} in {duration(outputs.get('seconds'))}"
        f" (executor {visible(outputs.get('executor', '?'))}, started {visible(outputs.get('started', '?'))})"
    )


def _error(outputs: Mapping[str, Any]) -> list[str]:
    lines = [f"  {visible(line)}" for line in str(outputs.get("error") or "").splitlines()[:12]]
    if outputs.get("status", "done") != "done":
        lines.append("  What was committed is kept; the same command continues from there.")
    return lines


def _documents(funnel: Funnel) -> list[str]:
    if not funnel.steps:
        return []
    if not funnel.is_line:
        lines = [["read", count(funnel.read), ""], ["removed", count(funnel.removed), ""]]
        lines.append(["quarantined", count(funnel.quarantined), "steps branch: one document may count more than once"])
        return table(lines, ".r")
    whole = funnel.read + funnel.added
    rows = [["read", count(funnel.read), ""]]
    if funnel.added:
        rows.append(["added", count(funnel.added), ""])
    parts = (("kept", funnel.kept), ("removed", funnel.removed), ("quarantined", funnel.quarantined))
    rows += [[word, count(part), share(part, whole)] for word, part in parts]
    return table(rows, ".rr")


def _steps(funnel: Funnel) -> list[str]:
    rows = [["step", "in", "out", "lost", "why"]]
    rows += [[visible(step.id, 32), count(step.rows_in), count(step.rows_out), *_lost(step)] for step in funnel.steps]
    return table(rows, ".rrr") if len(rows) > 1 else []


def _lost(step: StepCounts) -> list[str]:
    lost = step.lost + sum(step.quarantined.values())
    why = [f"{visible(reason, 40)} {count(rows)}" for reason, rows in step.reasons[:_REASONS]]
    if len(step.reasons) > _REASONS:
        why.append(f"{len(step.reasons) - _REASONS} more")
    if step.added:
        why.append(f"added {count(step.added)}")
    if step.cut:
        why.append(cut_text(step.cut))
    return [count(lost) if lost else "", ", ".join(why)]


def _damaged(outputs: Mapping[str, Any]) -> list[str]:
    damaged = outputs.get("damaged") or []
    lines = [[visible(one.get("file", "?"), 60), _at(one), visible(one.get("reason", ""), 60)] for one in damaged[:5]]
    more = [f"  and {count(len(damaged) - 5)} more: see the report"] if len(damaged) > 5 else []
    return table(lines) + more


def _at(one: Mapping[str, Any]) -> str:
    return "" if one.get("offset") is None else f"byte {count(one['offset'])}"


def _training(outputs: Mapping[str, Any], events: Sequence[Any]) -> list[str]:
    rows = [[visible(step), *_facts(one)] for step, one in outputs_of(outputs, "tokenizer", "tokens", "model").items()]
    for curve in curves(events):
        if "loss" in curve.name:
            (_, first), (at, last) = curve.points[0], curve.points[-1]
            told = f"{visible(curve.name)} {first:.3f} at the start, {last:.3f} at step {count(at)}"
            rows.append([visible(curve.stage), "loss", told])
    return table(rows)


def _facts(one: Mapping[str, Any]) -> list[str]:
    splits = one.get("splits") or {}
    nested = any(isinstance(value, Mapping) for value in splits.values())
    facts = [f"{name} {value}" for name, value in scalars(one.get("summary"))]
    if splits:
        facts.append(split_text(splits, "tokens" if nested else None) + (" tokens" if nested else ""))
    elif one.get("rows") is not None and not facts:
        facts.append(f"{count(one['rows'])} rows")
    return [visible(one.get("kind", "")), ", ".join(facts)]


def _evaluation(outputs: Mapping[str, Any]) -> list[str]:
    lines: list[str] = []
    for scored in scores(outputs):
        heads = [visible(name.replace("_", " "), 28) for name in scored.names]
        rows = [[visible(scored.step), *heads]]
        rows += [[visible(label) or "all", *values] for label, values in scored.rows]
        lines += table(rows, "." + "r" * len(heads))
    return lines


def _made(outputs: Mapping[str, Any], report: str | None) -> list[str]:
    documents = outputs_of(outputs, "documents")
    rows = []
    for step, one in list(documents.items())[-1:]:
        rows.append(["dataset", f"{visible(step)}: {_size(one)}"])
        rows.append(["", f"digest {visible(one.get('digest', '?'))}"])
        rows.append(["", visible(one.get("path", ""))])
    for word in ("model", "tokenizer", "files"):
        rows += [[word, _place(step, one)] for step, one in outputs_of(outputs, word).items()]
    if report:
        rows.append(["report", visible(report)])
    return table([row for row in rows if row[1]])


def _place(step: str, one: Mapping[str, Any]) -> str:
    return f"{visible(step)}: {visible(one.get('path', '?'))}"


def _size(one: Mapping[str, Any]) -> str:
    splits = split_text(one.get("splits"))
    return f"{count(one.get('rows'))} documents" + (f" ({splits})" if splits else "")
