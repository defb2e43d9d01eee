"""Damage of input files that a plan can know of: seen when they are cut, or told by the last run, untouched since."""

from __future__ import annotations

import os
from datetime import datetime
from typing import Any

from corpusmill.errors import InputError
from corpusmill.plan.stages import Stage
from corpusmill.runner.files import find_files
from corpusmill.runner.records import RunRecord, list_runs
from corpusmill.runner.session import Session


def known_damage(session: Session, stage: Stage, *, remember: bool) -> list[dict[str, Any]]:
    """Return the damaged files of a stage that reads files, by name: each with step, file, reason and offset.

    `remember` takes in what the last run was told.
    """
    if not stage.reads_files:
        return []
    step = stage.steps[0]
    found = {one["file"]: one for one in (_remembered(session, stage) if remember else [])}
    found |= {one["file"]: one for one in (*session.noticed, *session.damaged) if one["step"] == step.id}
    return [found[name] for name in sorted(found)]


def _remembered(session: Session, stage: Stage) -> list[dict[str, Any]]:
    """Return what the last run that read these files found in those of them that nobody has touched since."""
    step = stage.steps[0]
    runs = reversed(list_runs(session.store.runs_root, session.checked.spec.name))
    last = next((run for run in runs if step.id in (run.outputs.get("ingredients") or {})), None)
    entries = (last.outputs.get("damaged") or []) if last else []
    # What only a limit kept out may be let in by now.
    told = {one["file"]: one for one in entries if one.get("step") == step.id and not one.get("limit")}
    began = _began(last) if last is not None and told else None
    if began is None:
        return []
    try:
        files = find_files(step.options.model_dump()["paths"], session.base)
        # The time of the inode's change: a file that was put in the place of another keeps its own time of writing.
        return [told[file.name] for file in files if file.name in told and os.stat(file.path).st_ctime < began]
    except (InputError, OSError):
        return []


def _began(run: RunRecord) -> float | None:
    times = [event.time for event in run.events if event.event == "run_started"]
    return datetime.fromisoformat(times[0]).timestamp() if times else None
