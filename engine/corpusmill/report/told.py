"""What a run told: its outputs, or for one that was killed before it wrote any, what its journal says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from corpusmill.runner.journal import Event
from corpusmill.runner.records import RunRecord


def told_by(record: RunRecord) -> Mapping[str, Any]:
    """Return what `outputs.json` holds, and `folder`; without one, the same as far as the journal knows it."""
    if record.outputs:
        return {**record.outputs, "folder": str(record.folder)}
    started = next((one for one in record.events if one.event == "run_started"), None)
    counts: dict[str, Any] = {}
    for one in record.events:
        if one.event == "stage_finished":
            counts |= {str(step): dict(each) for step, each in (one.data.get("counts") or {}).items()}
    told: dict[str, Any] = {"name": record.name, "status": record.status, "executor": record.executor, "counts": counts}
    if record.status == "interrupted":
        told["error"] = "The run ended without a word: its process was killed. What was committed is kept."
    told |= {"started": started.time if started else "?", "seconds": _seconds(record.events)}
    return {**told, "folder": str(record.folder)}


def _seconds(events: Sequence[Event]) -> float | None:
    """Seconds from the first event to the last."""
    times = [datetime.fromisoformat(one.time) for one in (*events[:1], *events[-1:])]
    return (times[-1] - times[0]).total_seconds() if times else None
