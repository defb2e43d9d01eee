"""One operator on the bench: built as the engine builds it, with samples bound to its ports, tried once and watched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa

from corpusmill.plugin.operator import Context
from corpusmill.testing.attempt import Raised, attempt, place_of
from corpusmill.testing.comparison import first_difference
from corpusmill.testing.corpus import NULLS, ORDINARY, RANDOM, UNICODE, make_batch
from corpusmill.testing.findings import Broken, Fault, NotApplicable, shown_texts
from corpusmill.testing.outcomes import ROW_KINDS, Outcome, outcome
from corpusmill.testing.samples import Samples
from corpusmill.testing.shrinking import Texts, smallest
from corpusmill.testing.trials import WORK_KINDS, bind_ports, try_once
from corpusmill.testing.watch import ONCE, Watch

STEP, SEED = "check", 7
Trial = dict[str, Any]


@dataclass(frozen=True)
class Go:
    """One watched go: what it made or what went wrong, and what it did to the process around it."""

    made: Trial | None
    problem: Raised | Broken | NotApplicable | None
    changes: dict[str, str]


class Unusable(Exception):
    """The operator could not be tried at all; the claim `runs` says why."""


class Bench:
    """An operator class with options and samples. `uses` is how people call it."""

    def __init__(self, uses: str, operator: type[Any], options: Any, samples: Samples):
        self.uses, self.operator, self.options, self.samples = uses, operator, options, samples
        self.kind: str = operator.kind
        self.exact: bool = operator.exact
        self.numbers = False
        """Whether columns that samples do not have hold numbers instead of words."""
        self.texts: Texts = [*ORDINARY, *UNICODE, *RANDOM, *NULLS]
        """The texts that the operator can be tried on: all but those it fails on."""
        self.answers: list[dict[str, Any] | None] = []
        """What another process made of the same, once it was asked."""
        self.samples_before: dict[str, bytes] = {}
        """The files of tokenizer and model before a global operator was given them."""

    def build(
        self, *, options: Any = None, step: str = STEP, seed: int = SEED, column: str = "text", set_up: bool = True
    ) -> Any:
        """Return a new operator."""
        ports = self.operator.ports() if self.kind not in WORK_KINDS else {}
        inputs = {
            name: self.samples.port(port.artifact, many=port.many)
            for name, port in ports.items()
            if port.artifact not in ("documents", "tokens")
        }
        context = Context(step=step, seed=seed, column=column, base=str(self.samples.folder), inputs=inputs)
        operator = self.operator(self.options if options is None else options, context)
        if set_up:
            operator.setup()
        return operator

    @cached_property
    def one(self) -> Any:
        """The operator of the first go, shared by claims that need no fresh one."""
        return self.build()

    @cached_property
    def reads(self) -> tuple[str, ...]:
        """The columns it says it reads."""
        return tuple(self.build(set_up=False).reads())

    def batch(self, texts: Sequence[str | None]) -> pa.RecordBatch:
        """Return documents with these texts and all columns the operator reads."""
        return make_batch(texts, self.reads, number=self.numbers)

    def outcome(self, texts: Sequence[str | None], operator: Any = None) -> Outcome:
        """Return what the operator makes of each of these texts."""
        return outcome(self.one if operator is None else operator, self.batch(texts))

    @cached_property
    def goes(self) -> tuple[Go, Go]:
        """Two goes, each with a fresh operator, one right after the other: between them nothing else happens."""
        return self._watched(self.first_go), self._watched(lambda: try_once(self, self.build()))

    @property
    def first(self) -> Go:
        """The first go."""
        return self.goes[0]

    @property
    def second(self) -> Go:
        """A go with another operator made alike."""
        return self.goes[1]

    @cached_property
    def changes(self) -> dict[str, str]:
        """What the operator did to the process, by claim.

        A library may set variables and settings when it is loaded, once in a process; what is the operator's own
        doing happens again in the second go.
        """
        again = self.second.changes
        return {claim: seen for claim, seen in self.first.changes.items() if claim not in ONCE} | again

    def _watched(self, go: Callable[[], Trial]) -> Go:
        made: Trial | Raised | None = None
        problem: Raised | Broken | NotApplicable | None = None
        with Watch() as watch:
            try:
                made = attempt(self.operator, go)
            except (Broken, NotApplicable) as error:
                problem = error
        if isinstance(made, Raised):
            return Go(None, made, watch.changes)
        return Go(made, problem, watch.changes)

    def made(self) -> Trial:
        """Return what the first go made; raises Broken, NotApplicable or Unusable."""
        return self._made(self.first)

    def made_again(self) -> Trial:
        """Return what the second go made; raises likewise."""
        return self._made(self.second)

    def _made(self, go: Go) -> Trial:
        if isinstance(go.problem, Raised):
            raise Unusable
        if go.problem is not None:
            raise go.problem
        assert go.made is not None
        return go.made

    def fault(self, seen: str, texts: Texts | None = None, shown: str | None = None) -> Fault:
        """Return a fault at the operator's working method."""
        smallest_input = shown_texts(texts) if texts is not None else shown
        return Fault(seen, smallest_input, place_of(self.operator))

    def raises(self, texts: Sequence[str | None]) -> Raised | None:
        """Return what the operator raises on these texts in one batch."""
        found = attempt(self.operator, lambda: self.outcome(texts))
        return found if isinstance(found, Raised) else None

    def smallest_raising(self, texts: Sequence[str | None], raised: Raised) -> Texts:
        """Return the smallest texts on which the operator still raises the same."""

        def fails(some: Texts) -> bool:
            try:
                again = self.raises(some)
            except Broken:
                return False
            return again is not None and type(again.error) is type(raised.error)

        return smallest(texts, fails)

    def smallest_difference(self, one: Any, other: Any) -> Texts | None:
        """Return the smallest texts of which two operators make different things; None where there are none."""

        def fails(some: Texts) -> bool:
            found = attempt(self.operator, lambda: (self.outcome(some, one), self.outcome(some, other)))
            return not isinstance(found, Raised) and first_difference(*found) is not None

        if self.kind not in ROW_KINDS or not fails(self.texts):
            return None
        return smallest(self.texts, fails)

    def smallest_breaking(self, broken: Broken) -> tuple[str, Texts | None]:
        """Return what is seen on the smallest texts that break the same claim, and these texts."""
        seen = [broken.seen]

        def fails(some: Texts) -> bool:
            try:
                attempt(self.operator, lambda: self.outcome(some))
            except Broken as again:
                if again.claim == broken.claim:
                    seen.append(again.seen)
                    return True
            return False

        if self.kind not in ROW_KINDS or not fails(self.texts):
            return broken.seen, None
        texts = smallest(self.texts, fails)
        return (seen[-1] if fails(texts) else broken.seen), texts

    def first_go(self) -> Trial:
        """Find out what the operator can be tried on, and try it."""
        if self.kind in ROW_KINDS:
            self._settle_columns()
            self._settle_texts()
            self._expect_columns()
            self.one = self.build()  # one that has seen nothing yet
        return try_once(self, self.one)

    def note_samples(self) -> None:
        """Remember the files that ports are bound to, before the operator sees them."""
        if self.kind not in WORK_KINDS:
            return
        with suppress(NotApplicable):
            bind_ports(self)  # makes the samples that the ports want
        self.samples_before = self.samples.files()

    def _expect_columns(self) -> None:
        """An operator that asks the batch for a column which it did not declare breaks that claim, not `runs`."""
        raised = self.raises(ORDINARY[:1])
        if raised is not None and isinstance(raised.error, KeyError) and "does not exist in schema" in raised.words:
            named = ", ".join(self.reads) or "no column"
            raise Broken("reads", f"it raised {raised.words}; reads() names {named}")

    def _settle_columns(self) -> None:
        """Columns that the samples do not have hold words, unless the operator can only do with numbers."""
        if set(self.reads) <= set(make_batch([]).schema.names) or self.raises(ORDINARY[:3]) is None:
            return
        self.numbers = True
        self.numbers = self.raises(ORDINARY[:3]) is None

    def _settle_texts(self) -> None:
        """Leave out the texts on which the operator raises: each has a claim that says so."""
        if self.raises(self.texts) is None:
            return
        usable = [text for text in self.texts if self.raises([text]) is None]
        if not usable or self.raises(usable) is not None:
            usable = [text for text in usable if text in ORDINARY] or list(ORDINARY)
        self.texts = usable
