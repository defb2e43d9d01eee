"""The run under fire: the command started again and again until it is done, its processes killed on the way."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

from corpusmill.demo.account import AGAIN, GOOD, KILL, NOTE, Account
from corpusmill.demo.child import Child, Place
from corpusmill.demo.following import Journals, Where
from corpusmill.demo.moments import Moment
from corpusmill.demo.victims import DRIVER, RAYLET, TOLD, WORKER, victims
from corpusmill.errors import ExecutorError
from corpusmill.report.pace import outcome
from corpusmill.report.plain import count, visible
from corpusmill.runner.journal import Event

_LOOK = 0.005
_STALLED = 120.0
"""Seconds without a word after Ray's node manager was killed: Ray did not notice, and the run is ended by hand."""


@dataclass
class Kill:
    """One kill: whom, when (seconds into the run), where the run was, what became of it, units of work redone."""

    victim: str
    pid: int
    seconds: float
    where: str
    then: str = ""
    redone: int = 0
    units: frozenset[str] = frozenset()
    """Keys of the units that were at work, as far as they tell; `busy`: workers that were at work."""
    busy: int = 0


class Chaos:
    """Runs a place's command to its end while killing at the moments given; `kills` says what was done.

    Raises ExecutorError when the run stops though nobody was killed since it was started.
    """

    def __init__(self, place: Place, moments: Sequence[Moment], seed: int, account: Account):
        self.place, self._pending, self._account = place, list(moments), account
        self._draw = random.Random(seed)
        self._planned = len(moments)
        self.kills: list[Kill] = []
        self.starts, self._resumed = 0, 1
        self._finished: list[str] = []
        self._words: Sequence[str] = ()

    def run(self) -> list[Kill]:
        """Start, kill, start again, until the run is done."""
        while True:
            kills = len(self.kills)
            code = self._start()
            if code == 0:
                return self.kills
            if len(self.kills) == kills:
                raise self._failure(code)
            self._account.say(AGAIN, f"started again, the same command (start {self.starts + 1})")

    def _start(self) -> int:
        """Run the command once, to its end or its death; return its exit code."""
        self.starts += 1
        journals, where = Journals(self.place), Where()
        child = Child(self.place, self.starts)
        heard = time.monotonic()
        try:
            while (code := child.code()) is None:
                if self._follow(journals, where):
                    heard = time.monotonic()
                elif self._is_stalled(heard):
                    self._account.say(NOTE, "Ray did not notice for two minutes: the run is ended")
                    child.end()
                elif self._strike(child, where):
                    heard = time.monotonic()
                kills = f"   kills {len(self.kills)}/{self._planned}" if self._planned else ""
                self._account.status(where.line + kills)
                time.sleep(_LOOK)
            self._follow(journals, where)
            self._settle(child, code)
            self._words = child.last_words()
        finally:
            child.end()
        return code

    def _failure(self, code: int) -> ExecutorError:
        """What to raise for a run that failed on its own; what it said itself is shown before."""
        self._account.close()
        for line in self._words:
            self._account.raw(f"  | {visible(line)}")
        error = ExecutorError(
            f"the run stopped by itself with exit code {code}"
            + (", nobody killed since it began" if self.kills else ""),
            where=str(self.place.home),
            expected="a pipeline that runs from an empty store, and goes on where it was killed",
            hint=f"cd {self.place.home} && {self.place.command}",
        )
        error.exit_code = code if code > 0 else 1
        return error

    def _follow(self, journals: Journals, where: Where) -> bool:
        """Tell what the journal says; return whether it said anything."""
        events = journals.events()
        for event in events:
            where.take(event)
            if event.event == "worker_died":
                self._tell_death(event)
            elif event.event == "stage_started" and event.data["id"] not in self._finished:
                self._tell_resumed(where)
            elif event.event == "stage_finished" and event.data["id"] not in self._finished:
                self._finished.append(event.data["id"])
                self._account.say(GOOD, f"{event.data['id']}: {outcome(event.data)}")
        return bool(events)

    def _strike(self, child: Child, where: Where) -> bool:
        """Kill if it is time and the victim is there."""
        if not self._pending or not where.is_at_work:
            return False
        moment = self._pending[0]
        if not where.reached(moment.stage, moment.share, moment.seconds):
            return False
        found = victims(child.pid)
        victim = moment.victim
        if not found[victim]:
            return False
        kill = Kill(victim, self._draw.choice(found[victim]), self._account.seconds, where.text)
        kill.units, kill.busy = frozenset(self.place.crumbs()), len(found[WORKER])
        if not child.kill(kill.pid):
            return False
        self._pending.pop(0)
        self.kills.append(kill)
        number = f"{len(self.kills)}/{self._planned}"
        self._account.say(KILL, f"kill {number}: {TOLD[victim]}, process {kill.pid}, in {kill.where}")
        return True

    def _tell_death(self, event: Event) -> None:
        """A worker died and the run goes on: its unit is sent again. Without a raylet it soon stops: said then."""
        kill = self.kills[-1] if self.kills else None
        if kill is None or kill.victim != WORKER:
            return
        if not kill.redone:
            self._account.say(NOTE, f"the run goes on: another worker begins its work in {event.data['id']} again")
        kill.redone += 1
        kill.then = "went on"

    def _tell_resumed(self, where: Where) -> None:
        """Say, once a start, where it goes on and what it found done; a stage that is done is told only once."""
        pace, stages = where.pace, len(where.done)
        if pace is None or self._resumed == self.starts:
            return
        self._resumed = self.starts
        found = [f"{count(stages)} stage{'s' if stages > 1 else ''}"] if stages else []
        found += [f"{count(pace.cached)} of its {count(pace.total)} shards"] if pace.cached else []
        told = f"found done: {' and '.join(found)}" if found else "nothing was done before"
        self._account.say(NOTE, f"goes on with {pace.id}; {told}")

    def _settle(self, child: Child, code: int) -> None:
        """After the end of a driver: was it killed, who lives on, what has to be done again."""
        if code == 0 or not self.kills:
            if code == 0 and self.kills and self.kills[-1].victim == DRIVER and not self.kills[-1].then:
                self.kills.pop()  # it had ended by itself before the signal came
            return
        kill = self.kills[-1]
        number, living, seconds = child.gone()
        if kill.victim == DRIVER:
            kill.then = "started again"
            told = f"the {number} processes of the run are gone {seconds:.1f} s later"
        else:
            kill.then = "stopped, started again"
            told = f"the run stopped: {_reason(child)}"
        if living:
            kill.then += f", {living} lived on"
            told = f"{living} of {number} processes still live after a minute, and are ended"
        self._account.say(NOTE, told)
        kill.redone += self._lost(kill)

    def _lost(self, kill: Kill) -> int:
        """Units that were at work and are not in the store: they have to be done again."""
        from corpusmill.dataset.store import Store

        if not kill.units:
            return kill.busy
        store = Store(str(self.place.store))
        return sum(store.committed(key) is None for key in kill.units)

    def _is_stalled(self, heard: float) -> bool:
        last = self.kills[-1] if self.kills else None
        return last is not None and last.victim == RAYLET and time.monotonic() - heard > _STALLED


def _reason(child: Child) -> str:
    """The first line of what a run said of its end: its parts begin at the line before `  at:`."""
    lines = list(child.last_words(40))
    heads = [number for number, line in enumerate(lines) if line.startswith(("  at:", "  expected:", "  next:"))]
    return lines[heads[0] - 1] if heads and heads[0] else (lines[-1] if lines else "without a word")


__all__ = ["Chaos", "Kill"]
