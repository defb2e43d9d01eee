"""The limits on bad records, judged once at the end of a stage: over them nothing is published, nothing is lost."""

from __future__ import annotations

import shlex

from corpusmill.errors import BadRecordLimit
from corpusmill.ledger.counts import StepCounts
from corpusmill.plan.stages import Stage
from corpusmill.runner.session import Session

_TOP = 5
"""Reasons told of a stage with too many bad records."""


def check_limits(session: Session, stage: Stage, counts: list[StepCounts]) -> None:
    """Raise BadRecordLimit (exit code 3) for too many bad records: the shards stay committed, the manifest waits."""
    read = counts[0].rows_in
    for limits in dict.fromkeys((one.limits.max_bad_fraction, one.limits.max_bad_records) for one in stage.steps):
        held = [limits == (one.limits.max_bad_fraction, one.limits.max_bad_records) for one in stage.steps]
        _check(
            session, stage, [one if own else StepCounts() for one, own in zip(counts, held, strict=True)], read, limits
        )


def _check(
    session: Session, stage: Stage, counts: list[StepCounts], read: int, limits: tuple[float, int | None]
) -> None:
    """Judge the steps that have these limits together."""
    most_share, most_records = limits
    bad = sum(sum(one.quarantined.values()) for one in counts)
    share = bad / read if read else 0.0
    over_share = share > most_share
    if not over_share and (most_records is None or bad <= most_records):
        return
    allowed = f"{most_share:.2%}" if over_share else f"{most_records} records"
    name = "max_bad_fraction" if over_share else "max_bad_records"
    raise BadRecordLimit(
        f"{bad} of {read} records are bad ({share:.2%}): {_top_reasons(stage, counts)}",
        where=f"stage {stage.id}",
        expected=f"at most {allowed} (`limits: {{{name}: …}}`; raising it recomputes nothing)",
        hint=f"{_typed('quarantine', session)} lists them with their places; after a fix, {_typed('retry', session)}",
    )


def _top_reasons(stage: Stage, counts: list[StepCounts]) -> str:
    """Say which steps lost how many records for which reasons, the most frequent first."""
    found = [
        (-rows, f"{step.id}: {reason} {rows:,}")
        for step, one in zip(stage.steps, counts, strict=True)
        for reason, rows in one.quarantined.items()
    ]
    listed = [words for _, words in sorted(found)]
    more = f", and {len(listed) - _TOP} more reasons" if len(listed) > _TOP else ""
    return ", ".join(listed[:_TOP]) + more


def _typed(command: str, session: Session) -> str:
    """Return a command on this run, as it can be typed from here."""
    return f"`corpusmill {command} {shlex.quote(session.checked.spec.name)}{session.place}`"
