"""The shape of a claim: a sentence that holds for every operator of its kinds, and how to look whether it does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from corpusmill.testing.bench import Bench
from corpusmill.testing.findings import Fault
from corpusmill.testing.outcomes import ROW_KINDS
from corpusmill.testing.trials import WORK_KINDS

EVERY = (*ROW_KINDS, *WORK_KINDS, "read", "write", "tokens", "mix")
TRIED = (*ROW_KINDS, *WORK_KINDS, "read", "write", "tokens")


@dataclass(frozen=True)
class Claim:
    """One promise.

    `id`: its name in messages. `says`: the promise as a sentence. `next`: what to do where it does not hold. `check`
    returns the fault, or None where it holds. `after`: claims without which this one says nothing new.
    """

    id: str
    says: str
    next: str
    check: Callable[[Bench], Fault | None]
    kinds: tuple[str, ...] = TRIED
    after: tuple[str, ...] = ()


def promised(bench: Bench) -> Fault | None:
    """The check of a claim that the first go itself breaks: it raises Broken with the claim's id."""
    bench.made()
    return None
