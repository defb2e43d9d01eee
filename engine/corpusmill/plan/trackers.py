"""Trackers of a run: found, validated and built before anything runs, with the same errors as steps have."""

from __future__ import annotations

from collections.abc import Sequence

from corpusmill.errors import CorpusmillError, nearest
from corpusmill.plan.options import check_options
from corpusmill.plugin.registry import Registry
from corpusmill.plugin.resolve import resolve_tracker
from corpusmill.plugin.tracker import Tracker
from corpusmill.spec.model import Step
from corpusmill.spec.problems import Problems


def check_trackers(wanted: Sequence[Step], registry: Registry, problems: Problems) -> tuple[Tracker, ...]:
    """Return the trackers that `run: {track: […]}` asks for; what is wrong with one is recorded at its place."""
    built = (_tracker(step, registry, problems) for step in wanted)
    return tuple(tracker for tracker in built if tracker is not None)


def _tracker(step: Step, registry: Registry, problems: Problems) -> Tracker | None:
    try:
        kind = resolve_tracker(registry.lookup_tracker(step.uses))
    except CorpusmillError as error:
        near = nearest(step.uses, registry.trackers) if step.uses not in registry.trackers else None
        problems.add(error.what, step.mark, expected=error.expected, near=near, hint=error.hint)
        return None
    options = check_options(step, kind, problems)
    return kind(options) if options is not None else None
