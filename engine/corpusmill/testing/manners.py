"""Claims about the process around an operator: it leaves everything as it found it."""

from __future__ import annotations

from collections.abc import Callable

from corpusmill.testing.bench import Bench
from corpusmill.testing.claims import Claim
from corpusmill.testing.findings import Fault, NotApplicable
from corpusmill.testing.watch import MANNERS

_WORDS = {
    "output": (
        "an operator writes nothing to stdout or stderr",
        "remove the print; progress, warnings and reports are the engine's (verdicts, metrics, errors)",
    ),
    "folder": (
        "an operator stays in the working directory and writes nothing there",
        "write to work.output or work.folder only, and start relative paths at self.context.base",
    ),
    "environment": (
        "an operator leaves environment variables as they were",
        "pass settings as arguments; where a library only reads the environment, put it back afterwards",
    ),
    "locale": (
        "an operator leaves the locale as it was",
        "sort and format without the locale: results must be the same on every machine",
    ),
    "signals": (
        "an operator installs no signal handler",
        "leave signals to the engine: it stops runs and times calls with them",
    ),
    "random-state": (
        "an operator leaves the global generators of random, numpy and torch alone",
        "use generators of your own, seeded by a hash of (self.seed, self.context.step, row id)",
    ),
    "process": (
        "an operator leaves settings of Python and torch as they were",
        "put settings back when the work is done (try … finally)",
    ),
    "threads": (
        "an operator leaves no thread running",
        "join threads and close pools before returning: the engine forks and counts cores",
    ),
}


def _check(name: str) -> Callable[[Bench], Fault | None]:
    def check(bench: Bench) -> Fault | None:
        if isinstance(bench.first.problem, NotApplicable):
            raise bench.first.problem
        seen = bench.changes.get(name)
        return bench.fault(seen) if seen is not None else None

    return check


CLAIMS = tuple(Claim(name, *_WORDS[name], _check(name)) for name in MANNERS)
