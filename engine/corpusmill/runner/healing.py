"""Healing: a run that meets a damaged file in its store makes it again, instead of ending and being started again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

from corpusmill.errors import BadRecordLimit, ChecksumError, DamagedFiles, InputError
from corpusmill.plan.stages import Stage
from corpusmill.runner.session import Session

MOST = 20
"""So many damaged files in one run mean a disk that should be looked at before it is written to."""
_STAGES_FILL = (
    "results",
    "outputs",
    "counts",
    "damaged",
    "noticed",
    "ledgers",
    "quarantines",
    "signals",
    "values",
)


def run_stages(session: Session, stages: Sequence[Stage], run_stage: Callable[[Session, Stage], None]) -> None:
    """Run stages in order. Where one finds that stored bytes are not what was committed, begin again.

    Whoever finds a damaged file removes it. So whatever made it counts as not done any more, is done again, and all
    else is cached. Raises the ChecksumError of what nothing here makes (another run's dataset) and of a failing disk.
    """
    healed: set[str] = set()
    while True:
        try:
            _in_order(session, stages, run_stage)
            return
        except ChecksumError as error:
            if error.what in healed or len(healed) >= MOST or session.control.stopping:
                raise
            healed.add(error.what)
            session.notices.append(f"{error.what}; the work that made it is done again")
            _begin_again(session)


def _in_order(session: Session, stages: Sequence[Stage], run_stage: Callable[[Session, Stage], None]) -> None:
    """Run stages in order. Where one finds its input damaged, the inputs after it are read all the same.

    People mend files once. What is read then is committed, and cached when the run goes on.
    """
    for place, stage in enumerate(stages):
        try:
            run_stage(session, stage)
        except DamagedFiles as error:
            damaged = list(error.damaged)
            for other in stages[place + 1 :]:
                if other.reads_files and not _needs_others(other) and not session.control.stopping:
                    try:
                        run_stage(session, other)
                    except DamagedFiles as more:
                        damaged += more.damaged
                    except (InputError, BadRecordLimit):
                        continue  # told when the files are mended, if it is still so
            raise DamagedFiles(damaged) from error


def _needs_others(stage: Stage) -> bool:
    own = {step.id for step in stage.steps}
    refs = (ref for step in stage.steps for bound in step.inputs.values() for ref in bound)
    return any(ref.local and ref.step not in own for ref in refs)


def _begin_again(session: Session) -> None:
    """Forget what the stages told this session; what was asked of it, and what was said aloud, stays."""
    fresh: dict[str, Any] = {one.name: one.default_factory for one in fields(session)}
    for name in _STAGES_FILL:
        setattr(session, name, fresh[name]())
    session.quarantined = 0
