"""Claims about what comes in: nothing at all, nulls, every kind of Unicode, lines of a megabyte."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyarrow as pa

from corpusmill.dataset.schema import canonical_type
from corpusmill.testing.attempt import Raised, attempt
from corpusmill.testing.bench import Bench
from corpusmill.testing.claims import TRIED, Claim
from corpusmill.testing.corpus import LONG, NULLS, ORDINARY, RANDOM, UNICODE
from corpusmill.testing.findings import Broken, Fault
from corpusmill.testing.outcomes import ROW_KINDS, outcome
from corpusmill.testing.twin import ask

LONG_SECONDS = 120.0


def check_runs(bench: Bench) -> Fault | None:
    """The first go raises nothing."""
    problem = bench.first.problem
    if problem is None:
        left_out = [text for text in ORDINARY if text not in bench.texts] if bench.kind in ROW_KINDS else []
        return raises_on(left_out, "an ordinary text")(bench)
    if not isinstance(problem, Raised):
        raise problem
    texts = None
    if bench.kind in ROW_KINDS and "one" in vars(bench):
        raised = bench.raises(ORDINARY)
        texts = bench.smallest_raising(ORDINARY, raised) if raised is not None else None
    found = bench.fault(f"it raised {problem.words}", texts)
    return Fault(found.seen, found.input, problem.where)


def check_empty_batch(bench: Bench) -> Fault | None:
    """A batch of no rows gives no rows, with the columns that are declared."""
    bench.made()
    batch = bench.batch([])
    try:
        found = attempt(bench.operator, lambda: outcome(bench.one, batch))
    except Broken as broken:
        return bench.fault(f"on a batch of no rows {broken.seen}", [])
    if isinstance(found, Raised):
        return Fault(f"a batch of no rows raised {found.words}", "[]", found.where)
    return bench.fault(f"a batch of no rows gave {len(found)} rows", []) if found else _empty_types(bench, batch)


def _empty_types(bench: Bench, batch: pa.RecordBatch) -> Fault | None:
    if bench.kind != "annotate":
        return None
    columns = bench.one.annotate(batch)
    for name, kind in bench.one.adds().items():
        found = getattr(columns[name], "type", kind)
        if canonical_type(found) != canonical_type(kind):
            return bench.fault(f"a batch of no rows gave {name!r} of type {found}; {kind} is declared", [])
    return None


def raises_on(texts: Sequence[str | None], what: str) -> Callable[[Bench], Fault | None]:
    """Return the check that no one of these texts makes an operator raise."""

    def check(bench: Bench) -> Fault | None:
        bench.made()
        for text in texts:
            raised = bench.raises([text])
            if raised is not None:
                smaller = bench.smallest_raising([text], raised)
                found = bench.fault(f"{what} raised {raised.words}", smaller)
                return Fault(found.seen, found.input, raised.where)
        return None

    return check


def check_nulls(bench: Bench) -> Fault | None:
    """Null and empty texts raise nothing, and are no duplicates of one another."""
    found = raises_on(NULLS, "a null or empty text")(bench)
    if found is not None or bench.kind != "dedup":
        return found
    keyed = [text for text, (keys, _, _) in zip(NULLS, bench.outcome(NULLS), strict=True) if keys]
    if not keyed or set(bench.reads) != {bench.one.column}:
        return None
    return bench.fault("a text that is null or empty got a key: all such documents would be duplicates", keyed[:1])


def check_long_line(bench: Bench) -> Fault | None:
    """A line of 1 MB is worked on in the twin, so that a hang does not hang the kit."""
    bench.made()
    # A model takes its time over a megabyte; a quarter of one of the two lines tells whether it copes.
    for text in LONG if bench.exact else (LONG[1][: 1 << 18],):
        answer = ask(bench, [text], LONG_SECONDS)
        words = f"{text[:10]!r} … ({len(text):,} characters)"
        if answer is None:
            seen = f"a line of 1 MB was not done within {LONG_SECONDS:g} s, or took the process down"
            return bench.fault(seen, shown=words)
        if "raised" in answer:
            return Fault(f"a line of 1 MB raised {answer['raised']}", words, answer["where"])
    return None


CLAIMS = (
    Claim(
        "runs",
        "ordinary input is worked on without an exception",
        "correct the line that raises; bad documents are for verdicts, for reject, or for the engine's quarantine",
        check_runs,
        TRIED,
    ),
    Claim(
        "empty-batch",
        "a batch of no rows gives no rows, with the declared columns and types",
        "give arrays their type (pa.array(values, pa.float64())), and ask for no first row",
        check_empty_batch,
        ROW_KINDS,
        ("runs",),
    ),
    Claim(
        "nulls",
        "a text may be null or empty",
        "treat null as empty (`text or ''`), and give documents without text no key",
        check_nulls,
        ROW_KINDS,
        ("runs",),
    ),
    Claim(
        "unicode",
        "every valid text is worked on: emoji, combining marks, right-to-left, CJK extension B, lone line ends, NUL",
        "use len(text) only for code points, encode() for bytes, and a default for characters without a property",
        raises_on((*UNICODE, *RANDOM), "a valid text"),
        ROW_KINDS,
        ("runs",),
    ),
    Claim(
        "long-line",
        "a line of 1 MB is worked on in two minutes, for it comes in every crawl",
        "avoid nested quantifiers in patterns and recursion over characters; look at a prefix where that will do",
        check_long_line,
        ROW_KINDS,
        ("runs", "travels", "determinism"),
    ),
)
