"""The policy above executors: bounded units in flight, attempts counted, deaths judged, interrupts obeyed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from corpusmill.errors import CorpusmillError, ExecutorError, Interrupted, OperatorError
from corpusmill.runner.blame import death_words, placed, shard_words
from corpusmill.runner.breadcrumb import OPERATOR, Crumb, read_crumb
from corpusmill.runner.executor import Executor
from corpusmill.runner.unit import Died, Done, Failed, Outcome, Unit

DEATHS_OUTSIDE = 3
"""So many deaths of one unit outside any operator call stop the run: the machine is at fault, not a document.

Those before the last checkpoint of long work, or the last piece of it that was finished, no longer count.
"""
ATTEMPTS = 12
_TICK = 0.25


@dataclass
class Control:
    """What people and signals want of a run: `stopping` is set by the first Ctrl-C; `resume` is what goes on."""

    stopping: bool = False
    messages: list[str] = field(default_factory=list)
    resume: str = "run the same command again"


OnDone = Callable[[Unit, Done], None]
Names = Callable[[Unit, int], str]
"""Names a step of a unit, by its place in the stage, and its plugin; -1: the one the unit is for."""
Tell = Callable[[str, Mapping[str, Any]], None]
"""Takes an event and what there is to say of it."""
Saved = Callable[[Unit], int]
"""Says how much of a unit outlives its worker: a number that grows when more of it does."""


@dataclass
class _Deaths:
    """Deaths of one unit: outside of operators, and all at which it stood still, since more of it was `saved`."""

    outside: int = 0
    standing: int = 0
    saved: int = 0

    def reckon(self, saved: int) -> None:
        """Begin to count anew where the unit has saved more than at the death before."""
        if saved > self.saved:
            self.outside, self.standing, self.saved = 0, 0, saved


def run_units(
    executor: Executor,
    units: Iterable[Unit],
    on_done: OnDone,
    *,
    control: Control,
    crumbs: Callable[[str], Path],
    names: Names = lambda unit, step: f"step {step}",
    tick: Callable[[], None] = lambda: None,
    tell: Tell = lambda event, data: None,
    saved: Saved = lambda unit: 0,
) -> None:
    """Run all units; `on_done` gets each result as it comes, `tell` each worker that died or was replaced.

    After a failure nothing new starts, what is in flight may finish and commit, then the first error is raised. A
    stop request does the same and raises Interrupted.
    """
    waiting, running = iter(units), 0
    failure: BaseException | None = None
    deaths: defaultdict[str, _Deaths] = defaultdict(_Deaths)
    exhausted = False
    while True:
        while not (exhausted or failure or control.stopping) and running < executor.in_flight:
            unit = next(waiting, None)
            if unit is None:
                exhausted = True
                break
            executor.submit(unit)
            running += 1
        if not running:
            break
        ended = executor.next(_TICK)
        tick()
        if ended is None:
            continue
        unit, outcome = ended
        if isinstance(outcome, Died) and failure is None and not control.stopping:
            deaths[unit.key].reckon(saved(unit))
            failure = _judge(unit, outcome, deaths[unit.key], crumbs, names, tell)
            if failure is None:
                executor.submit(unit)
                continue
        running -= 1
        problem = _ended(unit, outcome, on_done, names, tell)
        failure = failure or problem
    if failure is not None:
        raise failure
    if control.stopping:
        raise Interrupted("stopped on request; everything that was finished is kept", hint=control.resume)


def _ended(unit: Unit, outcome: Outcome, on_done: OnDone, names: Names, tell: Tell) -> BaseException | None:
    """Hand a result on; return what must stop the run, so that what is in flight still ends."""
    if isinstance(outcome, Failed):
        return placed(outcome.error, unit, names(unit, -1))
    if isinstance(outcome, Done):
        if outcome.weary:
            tell("worker_replaced", {"why": outcome.weary, "shard": shard_words(unit)})
        try:
            on_done(unit, outcome)
        except OperatorError as error:
            return error
    return None


def _judge(
    unit: Unit,
    died: Died,
    deaths: _Deaths,
    crumbs: Callable[[str], Path],
    names: Names,
    tell: Tell,
) -> CorpusmillError | None:
    """Decide about a unit whose worker died: try again, with suspects if an operator was running, or give up.

    Suspects are the rows of the call that died; a call that is no row's (training, a reader) is borne as often as a
    death outside operators.
    """
    unit.attempts += 1
    path = crumbs(unit.key)
    crumb = read_crumb(path) or Crumb("unknown")
    # The next worker may die before it leaves a word of its own.
    path.unlink(missing_ok=True)
    if crumb.phase == OPERATOR and crumb.first >= 0:
        suspects = unit.payload.setdefault("suspects", [])
        # A death further on than any before is another document's, or another's fault: only standing still counts.
        further = crumb.first > max((last for _, _, last in suspects), default=-1)
        suspects.append([crumb.step, crumb.first, crumb.last])
    else:
        further = False
        deaths.outside += 1
    deaths.standing += not further
    where = death_words(unit, crumb, names(unit, crumb.step))
    if deaths.outside < DEATHS_OUTSIDE and deaths.standing < ATTEMPTS:
        tell("worker_died", {"unit": unit.kind, "attempt": unit.attempts, "how": died.how, "where": where})
        return None
    since = f", {deaths.standing} of them since it last saved its state" if deaths.saved else ""
    return ExecutorError(
        f"a worker {died.how} {unit.attempts} times on the same unit of work{since}",
        where=where,
        expected="an operator that lives and ends each call in time (`limits: {deadline: …}`), in memory that is there"
        if crumb.called
        else "workers that live; deaths outside operators come from memory limits or an operator's kill",
        hint="check memory (dmesg, ulimit), lower --batch-bytes or --workers, then run the same command: work is kept",
    )
