"""Claims about writers: the same bytes however rows are batched, rows that come back, a sink that stays open."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from corpusmill.testing.attempt import Raised, attempt
from corpusmill.testing.bench import Bench
from corpusmill.testing.claims import Claim, promised
from corpusmill.testing.corpus import copied
from corpusmill.testing.findings import Broken, Fault, NotApplicable, shown
from corpusmill.testing.formats import decoder
from corpusmill.testing.shrinking import Texts, smallest
from corpusmill.testing.trials import written

_WRITE = ("write",)


def check_batches(bench: Bench) -> Fault | None:
    """Batches of other sizes, copied or as slices, give the same bytes."""
    bench.made()
    batch = bench.batch(bench.texts)
    whole = written(bench.one, batch.schema, [batch])
    for size in (1, 5):
        slices = [batch.slice(start, size) for start in range(0, batch.num_rows, size)]
        for how, batches in (("slices", slices), ("batches", [copied(one) for one in slices])):
            if written(bench.one, batch.schema, batches) != whole:
                return bench.fault(f"{how} of {size} rows gave other bytes than one batch")
    return None


def check_no_rows(bench: Bench) -> Fault | None:
    """A file without rows is a file."""
    bench.made()
    schema = bench.batch([]).schema
    found = attempt(bench.operator, lambda: written(bench.one, schema, []))
    if isinstance(found, Raised):
        return Fault(f"no rows raised {found.words}", "[]", found.where)
    read = decoder(bench.one.suffix)
    if read is None:
        return None
    rows = attempt(bench.operator, lambda: read(found))
    return (
        bench.fault(f"a file without rows reads as {shown(getattr(rows, 'words', rows))}", []) if rows != [] else None
    )


def check_round_trip(bench: Bench) -> Fault | None:
    """What was written reads as the rows that went in."""
    bench.made()
    read = decoder(bench.one.suffix)
    if read is None:
        raise NotApplicable(f"the kit cannot read files that end in {bench.one.suffix!r}")
    found = _lost(bench, bench.batch(bench.texts), read)
    if found is None:
        return None
    texts = smallest(bench.texts, lambda some: _lost(bench, bench.batch(some), read) is not None)
    return bench.fault(_lost(bench, bench.batch(texts), read) or found, _texts(texts))


def _texts(texts: Texts) -> Texts:
    return texts


def _lost(bench: Bench, batch: pa.RecordBatch, read: Any) -> str | None:
    """Return in words what a reader finds changed, or None."""
    found = attempt(bench.operator, lambda: read(written(bench.one, batch.schema, [batch])))
    if isinstance(found, Raised):
        return f"the file cannot be read: {found.words}"
    rows = batch.to_pylist()
    if len(found) != len(rows):
        return f"{len(rows)} rows were written, {len(found)} are read"
    for before, after in zip(rows, found, strict=True):
        for name, value in before.items():
            if after.get(name) != value:
                return f"{name!r} was {shown(value, 120)} and is read as {shown(after.get(name), 120)}"
    return None


def check_suffix(bench: Bench) -> Fault | None:
    """Files have an ending."""
    bench.made()
    suffix = bench.one.suffix
    if not isinstance(suffix, str) or not suffix.startswith("."):
        raise Broken("suffix", f"its suffix is {suffix!r}")
    return None


CLAIMS = (
    Claim(
        "suffix", "files get an ending such as .jsonl", "set `suffix = '.ending'` on the class", check_suffix, _WRITE
    ),
    Claim(
        "sink",
        "encode() writes to the sink and leaves it open",
        "flush what you hold, and leave closing to the engine: it counts and hashes the bytes",
        promised,
        _WRITE,
    ),
    Claim(
        "batches",
        "the same rows give the same bytes, however they are batched",
        "cut blocks by rows or bytes counted from the first row, not by the batches that come",
        check_batches,
        _WRITE,
        ("memory",),
    ),
    Claim(
        "no-rows",
        "a file without rows is valid",
        "write header and footer even where no batch comes",
        check_no_rows,
        _WRITE,
        ("memory",),
    ),
    Claim(
        "round-trip",
        "what is written reads as what went in: nulls, empty texts, every character",
        "escape, and keep null apart from the empty text",
        check_round_trip,
        _WRITE,
        ("memory",),
    ),
)
