"""Claims about sameness: the same row gives the same result, whenever, wherever and in whatever company it comes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

from corpusmill.testing.attempt import Raised
from corpusmill.testing.bench import SEED, STEP, Bench, Trial
from corpusmill.testing.claims import TRIED, Claim
from corpusmill.testing.comparison import fingerprint, first_difference, same
from corpusmill.testing.corpus import copied
from corpusmill.testing.findings import Fault, NotApplicable, shown
from corpusmill.testing.outcomes import ROW_KINDS, Outcome, outcome, told
from corpusmill.testing.settling import affects_result, alternatives
from corpusmill.testing.shrinking import Texts, smallest
from corpusmill.testing.trials import try_once
from corpusmill.testing.twin import ask, elsewhere, parts

STEADY = ("determinism", "memory")
_CUTS = (1, 2, 5)


def difference(left: Trial, right: Trial, *, exact: bool = True) -> str | None:
    """Return in words the first part in which two trials differ, or None."""
    if same(left, right, exact=exact):
        return None
    for name in left:
        if name not in right:
            return f"{name} is missing the second time"
        if not same(left[name], right[name], exact=exact):
            return f"{name} is {_told(left[name])}, then {_told(right[name])}"
    return f"{next(name for name in right if name not in left)} is new the second time"


def _told(value: Any) -> str:
    return told(value) if isinstance(value, (tuple, dict)) else shown(value, 160)


def check_determinism(bench: Bench) -> Fault | None:
    """Two fresh operators, and one in another process, make the same of the same input."""
    made = bench.made()
    if isinstance(bench.second.problem, Raised):
        problem = bench.second.problem
        return Fault(f"a second operator made alike raised {problem.words}", where=problem.where)
    again = bench.made_again()
    found = difference(made, again)
    if found is not None:
        return bench.fault(
            f"two operators made alike gave different results: {found}", _chance(bench) or _alone(bench, made, again)
        )
    answer = elsewhere(bench)
    if answer is None:
        return bench.fault("another process gave no answer: it hung or died")
    if "unbuilt" in answer:
        raise NotApplicable("another process cannot build it, see travels")
    if "raised" in answer:
        return Fault(f"it fails in another process: {answer['raised']}", where=answer["where"])
    here = parts(made)
    wrong = [name for name in {**here, **answer["parts"]} if here.get(name) != answer["parts"].get(name)]
    if not wrong:
        return None
    row = int(wrong[0].removeprefix("row ")) if wrong[0].startswith("row ") else None
    texts = [bench.texts[row]] if row is not None else None
    seen = f"another process with another hash seed gave a different result for {wrong[0]}"
    return bench.fault(seen, _smallest_elsewhere(bench, texts) if texts else None)


def _chance(bench: Bench) -> Texts | None:
    """The smallest texts for which chance decides."""
    return bench.smallest_difference(bench.build(), bench.build())


def _alone(bench: Bench, made: Trial, again: Trial) -> Texts | None:
    if bench.kind not in ROW_KINDS:
        return None
    row = first_difference(list(made.values()), list(again.values()))
    return None if row is None else [bench.texts[row]]


def _smallest_elsewhere(bench: Bench, texts: Texts) -> Texts:
    def fails(some: Texts) -> bool:
        here = outcome(bench.one, bench.batch(some))
        answer = ask(bench, some) or {}
        there = list((answer.get("parts") or {}).values())
        return bool(there) and there != [fingerprint(value) for value in here]

    return smallest(texts, fails)


def check_memory(bench: Bench) -> Fault | None:
    """The same operator makes the same of the same input the second time."""
    made = bench.made()
    again = try_once(bench, bench.one)
    found = difference(made, again)
    if found is None:
        return None
    return bench.fault(f"the same input gave another result the second time: {found}", _alone(bench, made, again))


def check_seed(bench: Bench) -> Fault | None:
    """Without `uses_seed`, neither the seed nor the step's id changes a result."""
    if bench.operator.uses_seed:
        raise NotApplicable("it says that it uses the seed")
    made = bench.made()
    for what, operator in (
        ("seed", bench.build(seed=SEED + 1)),
        ("step's id", bench.build(step=f"{STEP}-two")),
    ):
        found = difference(made, try_once(bench, operator))
        if found is not None:
            texts = bench.smallest_difference(bench.one, operator)
            return bench.fault(f"another {what} gave another result, but uses_seed is False: {found}", texts)
    return None


def check_batch_size(bench: Bench) -> Fault | None:
    """Rows in batches of 1, 2 and 5 give what they give in one batch."""
    whole = list(bench.made().values())
    for size in _CUTS:
        cut = _in_batches(bench, bench.texts, size)
        row = first_difference(whole, cut, exact=bench.exact)
        if row is not None:
            texts = _smallest(bench, lambda some, size=size: _in_batches(bench, some, size))  # type: ignore[misc]
            words = _two(bench, texts, lambda some, size=size: _in_batches(bench, some, size))  # type: ignore[misc]
            return bench.fault(f"a row depends on the batch it comes in: {words} in batches of {size}", texts)
    return None


def check_order(bench: Bench) -> Fault | None:
    """Rows in another order give what they gave."""
    whole, turned = list(bench.made().values()), _reversed(bench, bench.texts)
    if first_difference(whole, turned, exact=bench.exact) is None:
        return None
    texts = _smallest(bench, lambda some: _reversed(bench, some))
    words = _two(bench, texts, lambda some: _reversed(bench, some))
    return bench.fault(f"a row depends on the rows around it: {words} in reversed order", texts)


def check_slices(bench: Bench) -> Fault | None:
    """Slices of a larger batch give what copies of their rows give."""

    def sliced(some: Texts) -> Outcome:
        padded = bench.batch(["in front of the slice", "字 😀", *some, "behind it"])
        return outcome(bench.one, padded.slice(2, len(some)))

    whole = outcome(bench.one, copied(bench.batch(bench.texts)))
    row = first_difference(whole, sliced(bench.texts), exact=bench.exact)
    if row is None:
        return None
    texts = _smallest(bench, sliced)
    words = _two(bench, texts, sliced)
    return bench.fault(f"a slice (array.offset 2) is read as something else: {words} as a slice", texts)


def check_input(bench: Bench) -> Fault | None:
    """The batch that came in is as it was."""
    bench.made()
    batch = copied(bench.batch(bench.texts))
    before = batch.to_pydict()
    outcome(bench.one, batch)
    changed = [name for name, values in batch.to_pydict().items() if values != before[name]]
    return bench.fault(f"it wrote into the column {changed[0]!r} of its input") if changed else None


def check_affects_result(bench: Bench) -> Fault | None:
    """Options that say they cannot change a byte change none."""
    made = bench.made()
    silent = [name for name, field in type(bench.options).model_fields.items() if not affects_result(field)]
    # What a writer is asked to replace, and which files a reader reads, are no speed: they are named by the step.
    for name in (one for one in silent if one != "paths"):
        for options in islice(alternatives(bench.options, name), 2 if bench.exact else 1):
            operator = bench.build(options=options)
            found = difference(made, try_once(bench, operator))
            if found is not None:
                seen = f"{name}={getattr(options, name)!r} gave another result, but says affects_result=False: {found}"
                return bench.fault(seen, bench.smallest_difference(bench.one, operator))
    return None


def _in_batches(bench: Bench, texts: Sequence[str | None], size: int) -> Outcome:
    return [
        value
        for start in range(0, len(texts), size)
        for value in outcome(bench.one, copied(bench.batch(texts[start : start + size])))
    ]


def _reversed(bench: Bench, texts: Texts) -> Outcome:
    return outcome(bench.one, bench.batch(texts[::-1]))[::-1]


def _smallest(bench: Bench, other: Callable[[Texts], Outcome]) -> Texts:
    def fails(some: Texts) -> bool:
        return first_difference(bench.outcome(some), other(some), exact=bench.exact) is not None

    return smallest(bench.texts, fails)


def _two(bench: Bench, texts: Texts, other: Callable[[Texts], Outcome]) -> str:
    """Return both results of the first row that differs."""
    left, right = bench.outcome(texts), other(texts)
    row = first_difference(left, right, exact=bench.exact) or 0
    return f"{shown(texts[row], 60)} gave {told(left[row])!s} in one batch and {told(right[row])!s}"


CLAIMS = (
    Claim(
        "determinism",
        "the same input gives the same result, in any process",
        "draw from a hash of (self.seed, self.context.step, row id), never from random or the clock; sort sets",
        check_determinism,
        TRIED,
        ("runs",),
    ),
    Claim(
        "memory",
        "an operator keeps nothing from one batch to the next",
        "compute a row's result from the row alone; keep no counts and no sets of what was seen on self",
        check_memory,
        TRIED,
        ("determinism",),
    ),
    Claim(
        "seed",
        "a result depends on the seed and the step's id only where uses_seed says so",
        "set uses_seed = True, so that the seed enters the fingerprint",
        check_seed,
        TRIED,
        STEADY,
    ),
    Claim(
        "affects-result",
        "an option with affects_result=False changes no byte of the result",
        "remove affects_result=False from this option, or what makes it count",
        check_affects_result,
        TRIED,
        STEADY,
    ),
    Claim(
        "batch-size",
        "a row gives the same result in a batch of any size",
        "compute per row: no means over the batch, no positions in it; floating-point models set exact = False",
        check_batch_size,
        ROW_KINDS,
        STEADY,
    ),
    Claim(
        "order",
        "a row gives the same result whatever rows stand before and behind it",
        "compute per row; what needs other rows is a deduplicator or a global operator",
        check_order,
        ROW_KINDS,
        (*STEADY, "batch-size"),
    ),
    Claim(
        "slices",
        "a slice of a batch is read from its own first row",
        "honour array.offset: use compute functions, to_pylist() or to_numpy(), not buffers() from their start",
        check_slices,
        ROW_KINDS,
        STEADY,
    ),
    Claim(
        "input",
        "the batch an operator is given stays as it is",
        "copy before writing: other steps may hold the same buffers",
        check_input,
        ROW_KINDS,
        STEADY,
    ),
)
