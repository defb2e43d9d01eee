"""The whole demonstration: a calm run, the same under fire, and what the two published held against each other."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corpusmill.demo.account import Account
from corpusmill.demo.chaos import Chaos
from corpusmill.demo.child import Place
from corpusmill.demo.moments import draw_moments, stages_of
from corpusmill.demo.proof import SUMS, prove
from corpusmill.demo.published import Published, published_by
from corpusmill.demo.told import tell_check, tell_end, tell_findings, tell_kills, tell_parts
from corpusmill.errors import Interrupted
from corpusmill.runner.records import RunRecord, latest_run


@dataclass(frozen=True)
class Demonstration:
    """What is shown: `arguments` stand behind `corpusmill run` in both runs; `name` is the pipeline's."""

    name: str
    arguments: tuple[str, ...]
    folder: Path
    kills: int
    seed: int
    ray: bool

    def place(self, which: str) -> Place:
        """Return the home of one of the two runs, made if it is not there."""
        home = self.folder / which
        home.mkdir(parents=True, exist_ok=True)
        return Place(home, self.name, self.arguments)


def demonstrate(plan: Demonstration, account: Account) -> bool:
    """Run calm, run under fire, compare, tell; return whether all was equal and somebody was killed.

    Raises Interrupted after a signal, with nobody left behind, and ExecutorError when a run stops by itself.
    """
    with _stopped_by_signals(plan, account):
        return _demonstrate(plan, account)


def _demonstrate(plan: Demonstration, account: Account) -> bool:
    began = time.monotonic()
    account.title("A calm run, to compare with (in calm/)")
    calm, quiet = _run(plan, account, "calm")
    moments = draw_moments(stages_of(calm.events), plan.kills, plan.seed, ray=plan.ray)
    account.title("The same run under fire (in chaos/)")
    chaos, fire = _run(plan, account, "chaos", moments)
    account.title("What was killed")
    tell_kills(account, fire.kills)
    account.title("The proof")
    made = {"calm": published_by(quiet.place, calm), "chaos": published_by(fire.place, chaos)}
    sums = plan.folder / SUMS
    sums.write_text(made["calm"].sums, encoding="utf-8")
    findings = prove(made["calm"], made["chaos"])
    tell_findings(account, findings)
    equal = not any(one.differences for one in findings)
    if equal:
        _tell_sums(plan, account, made["chaos"], sums)
    if not equal or not fire.kills:
        what = (
            "the two runs differ" if not equal else "the run was done before anybody could be killed: nothing is shown"
        )
        account.raw()
        account.paragraph(f"{what}; both stores stay in {plan.folder} (calm/ and chaos/)", "bold red")
        return False
    if late := plan.kills - len(fire.kills):
        account.raw(f"  ({late} of the {plan.kills} kills came too late: the run was done)", "dim")
    tell_end(account, fire.kills, fire.starts, plan.folder, time.monotonic() - began)
    return True


def _run(plan: Demonstration, account: Account, which: str, moments: Any = ()) -> tuple[RunRecord, Chaos]:
    place = plan.place(which)
    account.raw(f"  $ {place.command}", "dim")
    run = Chaos(place, moments, plan.seed, account)
    run.run()
    record = latest_run(place.store, plan.name)
    kills = f", {len(run.kills)} kills, {run.starts} starts" if moments else ""
    account.close()
    account.raw(f"  done in {account.elapsed}{kills}")
    return record, run


def _tell_sums(plan: Demonstration, account: Account, published: Published, sums: Path) -> None:
    account.title("sha256, part by part")
    tell_parts(account, published, sums)
    account.raw()
    tell_check(account, plan.folder / "chaos")


@contextlib.contextmanager
def _stopped_by_signals(plan: Demonstration, account: Account) -> Iterator[None]:
    """Ctrl-C, SIGTERM and a closed terminal end the children first; a second signal meanwhile changes nothing."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def stop(number: int, frame: Any) -> None:
        for one in numbers:
            signal.signal(one, signal.SIG_IGN)
        raise KeyboardInterrupt

    main = threading.current_thread() is threading.main_thread()
    before = {one: signal.signal(one, stop) for one in numbers} if main else {}
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(
            "the demonstration was stopped; none of its processes lives on",
            where=str(plan.folder),
            hint=f"rm -r {plan.folder} removes what it made",
        ) from None
    finally:
        account.close()
        for number, handler in before.items():
            signal.signal(number, handler)
