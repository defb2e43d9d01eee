"""The HTML report: one file about one run that opens offline, runs no script and loads nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from corpusmill.dataset.disk import replace_file
from corpusmill.dataset.store import write_errors
from corpusmill.plugin.hookspecs import hookimpl
from corpusmill.report import chart, distribution, sections
from corpusmill.report.evidence import Evidence, gather
from corpusmill.report.findings import curves, scalars, scores, split_text
from corpusmill.report.funnel import Funnel, StepCounts, build_funnel
from corpusmill.report.plain import count, duration, number, share, visible
from corpusmill.report.told import told_by
from corpusmill.runner.boundary import MEASURED
from corpusmill.runner.records import RunRecord

FILE_NAME = "report.html"
_LISTED = 100
"""Rows of a list that can grow without bound; the rest is counted."""


class HtmlReport:
    """The observer that leaves `report.html` in the run's folder when the run ends, however it ends."""

    @hookimpl
    def corpusmill_run_finished(self, run: dict[str, Any]) -> None:
        """Write the report from what the run's folder and its ledgers hold; no document is read again."""
        folder = Path(run["folder"])
        record = RunRecord(str(run.get("name", "")), str(run.get("timestamp", folder.name)), folder)
        _write(record, run, folder / FILE_NAME, again=False)


def report_of(record: RunRecord, target: Path | None = None, *, again: bool) -> Path:
    """Write the report of a run into `target` (its own `report.html`), whole or not at all, and return the path.

    `again` reads the documents nearest to thresholds anew. Raises StoreError where the file cannot be written.
    """
    return _write(record, told_by(record), target or record.folder / FILE_NAME, again=again)


def _write(record: RunRecord, outputs: Mapping[str, Any], target: Path, *, again: bool) -> Path:
    spec = record.folder / "spec.yaml"
    text = spec.read_text("utf-8", "replace") if spec.is_file() else ""
    page = render(outputs, plan=record.plan, events=record.events, spec=text, evidence=gather(record, again=again))
    with write_errors(str(target.parent)):
        replace_file(target, page.encode())
    return target


def render(
    outputs: Mapping[str, Any],
    *,
    plan: Mapping[str, Any],
    events: Sequence[Any] = (),
    spec: str = "",
    evidence: Evidence = Evidence(),  # noqa: B008 - nothing changes it
) -> str:
    """Return the report as HTML. Everything from outside is stripped of controls and escaped by the template."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, finalize=_harmless, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(files("corpusmill.report").joinpath("report.html.j2").read_text("utf-8"))
    facts = _facts(outputs, plan, events) | _evidence(evidence, outputs)
    return template.render(facts, spec=_lines(spec), chart=chart, box=distribution)


def _harmless(value: Any) -> Any:
    """Applied by the template to every expression it prints; markup made by the template itself passes."""
    return value if hasattr(value, "__html__") else visible(value)


def _facts(outputs: Mapping[str, Any], plan: Mapping[str, Any], events: Sequence[Any]) -> dict[str, Any]:
    funnel = build_funnel(outputs, plan)
    drawn = [chart.draw(curve) for curve in curves(events)]
    damaged = list(outputs.get("damaged") or [])
    return {
        "name": outputs.get("name", "run"),
        "status": outputs.get("status", "done"),
        "error": _lines(str(outputs.get("error") or "")),
        "facts": _run_facts(outputs),
        "totals": _totals(funnel),
        "is_line": funnel.is_line,
        "steps": [_step(step, funnel) for step in funnel.steps],
        "reasons": sections.bars([(f"{step}: {reason}", rows) for step, reason, rows in funnel.reasons]),
        "duplicates": sections.duplicates(outputs),
        "damaged": damaged[:_LISTED],
        "more_damaged": max(len(damaged) - _LISTED, 0),
        **_measured(outputs),
        "stages": _stages(outputs, plan, events),
        "charts": [one for one in drawn if one is not None],
        "scores": scores(outputs),
        "outputs": [_output(step, one) for step, one in (outputs.get("outputs") or {}).items()],
    }


def _evidence(evidence: Evidence, outputs: Mapping[str, Any]) -> dict[str, Any]:
    counts = outputs.get("counts") or {}
    counted = [
        (str(step), str(reason), int(rows))
        for step, one in counts.items()
        for reason, rows in (one.get("quarantined") or {}).items()
        if rows
    ]
    return {
        "quarantine": sections.quarantine(evidence.quarantined, counted),
        "languages": sections.languages(evidence.languages),
        "nearest": sections.documents(evidence, outputs),
        "read_again": evidence.again,
        "measured": count(MEASURED),
        "problems": evidence.problems,
    }


def _measured(outputs: Mapping[str, Any]) -> dict[str, Any]:
    drawn = distribution.distributions(outputs)
    shown: dict[str, list[distribution.Distribution]] = {}
    for one in drawn[:_LISTED]:
        shown.setdefault(one.step, []).append(one)
    kept = sorted({str(one.get("step")) for one in outputs.get("values") or []})
    more = max(len(drawn) - _LISTED, 0)
    return {"distributions": list(shown.items()), "more_signals": more, "values_of": ", ".join(kept)}


def _run_facts(outputs: Mapping[str, Any]) -> list[tuple[str, str]]:
    from corpusmill import __version__

    facts = [("started", outputs.get("started", "?")), ("took", duration(outputs.get("seconds")))]
    facts += [("executor", outputs.get("executor", "?")), ("folder", outputs.get("folder", ""))]
    return [(name, str(value)) for name, value in [*facts, ("corpusmill", __version__)] if value]


def _totals(funnel: Funnel) -> list[dict[str, Any]]:
    whole = funnel.read + funnel.added
    parts = [("read", funnel.read)] + ([("added", funnel.added)] if funnel.added else [])
    parts += [("kept", funnel.kept)] if funnel.is_line else []
    parts += [("removed", funnel.removed), ("quarantined", funnel.quarantined)]
    return [
        {
            "word": word,
            "count": count(rows),
            "share": share(rows, whole) if word not in ("read", "added") else "",
            "percent": round(100 * rows / whole, 3) if whole and funnel.is_line else 0,
        }
        for word, rows in parts
    ]


def _step(step: StepCounts, funnel: Funnel) -> dict[str, Any]:
    most = max((one.rows_in + one.added for one in funnel.steps), default=0) or 1
    lost = step.lost + sum(step.quarantined.values())
    return {
        "id": step.id,
        "uses": step.uses,
        "rows_in": count(step.rows_in),
        "rows_out": count(step.rows_out),
        "lost": count(lost) if lost else "",
        "lost_share": share(lost, step.rows_in) if lost else "",
        "added": count(step.added) if step.added else "",
        "cut": sections.cut_text(step.cut) if step.cut else "",
        "changed": count(step.changed) if step.changed else "",
        "kept_percent": round(100 * step.rows_out / most, 3),
        "lost_percent": round(100 * lost / most, 3),
        "reasons": [(reason, count(rows)) for reason, rows in step.reasons],
        "seconds": duration(step.seconds),
    }


def _stages(outputs: Mapping[str, Any], plan: Mapping[str, Any], events: Sequence[Any]) -> list[dict[str, Any]]:
    ended = {one.data.get("id"): one.data for one in events if one.event == "stage_finished"}
    began = {one.data.get("id"): one.data for one in events if one.event == "stage_started"}
    known = [(str(one.get("id")), one) for one in plan.get("stages", [])] or [(str(k), v) for k, v in began.items()]
    longest = max((float(one.get("seconds") or 0) for one in ended.values()), default=0.0) or 1.0
    return [
        _stage(name, one, began.get(name), ended.get(name), longest)
        | sections.cost(name, began.get(name) or {}, ended.get(name) or {}, events)
        | {"steps": sections.step_times(_names(one), outputs)}
        for name, one in known
    ]


def _names(stage: Mapping[str, Any]) -> list[str]:
    return [str(step["id"] if isinstance(step, Mapping) else step) for step in stage.get("steps", [])]


def _stage(
    name: str, one: Mapping[str, Any], began: Mapping[str, Any] | None, ended: Mapping[str, Any] | None, longest: float
) -> dict[str, Any]:
    start, end = began or {}, ended or {}
    seconds = end.get("seconds")
    return {
        "id": name,
        "kind": start.get("kind") or one.get("kind", ""),
        "state": "done" if ended else "not finished" if began else "not started",
        "shards": f"{count(start['total'])}" if start.get("total") else "",
        "cached": count(start["cached"]) if start.get("cached") else "",
        "rows": count(end["rows"]) if end.get("rows") is not None else "",
        "time": duration(seconds) if ended else "",
        "percent": round(100 * float(seconds or 0) / longest, 3),
    }


def _output(step: str, one: Mapping[str, Any]) -> dict[str, Any]:
    splits = one.get("splits") or {}
    nested = any(isinstance(value, Mapping) for value in splits.values())
    facts = [f"{name} {value}" for name, value in scalars(one.get("summary"))]
    facts += [split_text(splits, "tokens" if nested else None)] if splits else []
    rows = number(one["rows"]) if one.get("rows") is not None else ""
    return {
        "id": step, "kind": one.get("kind", ""), "rows": rows, "facts": ", ".join(facts),
        "digest": one.get("digest", ""), "path": one.get("path", ""),
    }  # fmt: skip


def _lines(text: str) -> list[tuple[int, str]]:
    """Return (blanks in front, the rest) of each line: `visible` would take indentation away."""
    return [(len(line) - len(line.lstrip(" ")), line) for line in text.splitlines()[:2000]]
