"""Listings: the runs of a store and the stages of one run, as text and as JSON, for `status`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from corpusmill.errors import StoreError
from corpusmill.report.pace import is_heartbeat
from corpusmill.report.plain import count, duration, table, visible
from corpusmill.runner.records import RunRecord

NOTES = {
    "interrupted": "interrupted; run the same command to resume",
    "damaged": "damaged: the record cannot be read; what was published is apart from it, corpusmill verify reads that",
}
_SHOWN = {"done": "✓", "running": "▸", "waiting": "·", "stopped": "‖"}


def run_facts(record: RunRecord) -> dict[str, Any]:
    """Return one run as JSON values: status, when, how long, its stages and its last event.

    A record that cannot be read (a disk that was full, a torn journal) is one of many: it must not hide the others.
    """
    try:
        return _facts(record)
    except StoreError as error:
        named = {"name": record.name, "timestamp": record.timestamp, "status": "damaged"}
        unknown = dict.fromkeys(("started", "seconds", "last_event"))
        return {**named, **unknown, "executor": "", "folder": str(record.folder), "error": str(error), "stages": []}


def _facts(record: RunRecord) -> dict[str, Any]:
    last = record.events[-1] if record.events else None
    started = next((one.time for one in record.events if one.event == "run_started"), None)
    return {
        "name": record.name,
        "timestamp": record.timestamp,
        "status": record.status,
        "started": record.outputs.get("started", started),
        "seconds": record.outputs.get("seconds"),
        "executor": record.executor,
        "folder": str(record.folder),
        "error": record.outputs.get("error"),
        "stages": stage_facts(record),
        "last_event": {"time": last.time, "event": last.event, "stage": last.data.get("id")} if last else None,
    }


def stage_facts(record: RunRecord) -> list[dict[str, Any]]:
    """Return the stages of a run in order, each with its state: done, running, stopped or waiting."""
    stages: dict[str, dict[str, Any]] = {}
    for one in record.plan.get("stages", []) or _announced(record):
        stages[str(one["id"])] = {
            "id": str(one["id"]), "kind": one.get("kind", ""), "steps": [_name(step) for step in one.get("steps", [])],
            "state": "waiting", "done": 0, "total": None, "cached": 0, "rows": None, "seconds": None,
        }  # fmt: skip
    going = "running" if record.status == "running" else "stopped"
    for event in record.events:
        stage = stages.get(str(event.data.get("id")))
        if stage is not None:
            _apply(stage, event.event, event.data, going)
    return list(stages.values())


def runs_text(records: Sequence[RunRecord]) -> str:
    """Return a table of runs, one a line, ending with a newline."""
    rows = [["name", "run", "status", "took", "stages", "last event"]]
    listed = [run_facts(record) for record in records]
    for facts in listed:
        done = sum(stage["state"] == "done" for stage in facts["stages"])
        last = facts["last_event"] or {}
        event = f"{last.get('time', '-')} {last.get('event', '')} {last.get('stage') or ''}"
        rows.append(
            [
                visible(facts["name"]),
                visible(facts["timestamp"]),
                visible(facts["status"]),
                duration(facts["seconds"]),
                f"{done}/{len(facts['stages'])}",
                visible(event),
            ]
        )
    notes = sorted({NOTES[facts["status"]] for facts in listed if facts["status"] in NOTES})
    return "\n".join([*table(rows, "...r", indent=""), *notes]) + "\n"


def run_text(record: RunRecord) -> str:
    """Return one run in detail: its status and every stage, ending with a newline."""
    facts = run_facts(record)
    head = f"{visible(record.name)} {visible(record.timestamp)}: {NOTES.get(facts['status'], visible(facts['status']))}"
    lines = [head, f"  folder {visible(record.folder)}", f"  started {visible(facts['started'] or '-')}"]
    if facts["seconds"] is not None:
        lines[-1] += f", took {duration(facts['seconds'])}"
    if facts["last_event"]:
        last = facts["last_event"]
        lines.append(
            f"  last event {visible(last['time'])} {visible(last['event'])} {visible(last['stage'] or '')}".rstrip()
        )
    lines += [f"  {visible(line)}" for line in str(facts["error"] or "").splitlines()]
    rows = [_line(stage) for stage in facts["stages"]]
    return "\n".join([*lines, *([""] if rows else []), *table(rows, "....rr")]) + "\n"


def _announced(record: RunRecord) -> Sequence[Mapping[str, Any]]:
    return next((one.data.get("stages") or [] for one in record.events if one.event == "run_started"), [])


def _name(step: Any) -> str:
    return str(step["id"] if isinstance(step, Mapping) else step)


def _apply(stage: dict[str, Any], event: str, data: Mapping[str, Any], going: str) -> None:
    if event == "stage_started":
        stage.update(
            kind=data.get("kind", stage["kind"]),
            state=going,
            total=data.get("total"),
            cached=data.get("cached") or 0,
            done=data.get("cached") or 0,
        )
    elif event == "shards_committed" and not is_heartbeat(stage["kind"], data):
        stage.update(done=data.get("done"), total=data.get("total", stage["total"]))
    elif event == "stage_finished":
        stage.update(state="done", rows=data.get("rows"), seconds=data.get("seconds"))
        stage["done"] = stage["total"] or stage["done"]


def _line(stage: Mapping[str, Any]) -> list[str]:
    progress = f"{count(stage['done'])}/{count(stage['total'])}" if stage["total"] else ""
    took = duration(stage["seconds"]) if stage["seconds"] is not None else ""
    rows = f"{count(stage['rows'])} rows" if stage["rows"] is not None else ""
    mark = _SHOWN[stage["state"]]
    return [mark, visible(stage["id"], 40), visible(stage["kind"]), f"{stage['state']} {progress}".strip(), rows, took]
