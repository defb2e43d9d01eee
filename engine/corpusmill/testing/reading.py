"""Claims about readers: ranges that cover a file, the same documents however it is cut, places, damage."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from corpusmill.errors import CorruptFile
from corpusmill.testing.attempt import Raised, attempt
from corpusmill.testing.bench import Bench
from corpusmill.testing.claims import Claim
from corpusmill.testing.findings import Fault, shown
from corpusmill.testing.formats import damaged
from corpusmill.testing.trials import Reading, SampleFile, input_files, read_files

_READ = ("read",)
_SMALL = 300
"""Bytes of a shard that cuts the samples into many ranges."""
_RAW = 64 << 10
"""Stored bytes of a rejected record that are still few."""


def check_ranges(bench: Bench) -> Fault | None:
    """Ranges follow one another without holes and cover the file."""
    bench.made()
    operator = bench.one
    for file in input_files(bench):
        ranges = [(int(start), int(stop)) for start, stop in operator.ranges(file)]
        if ranges != [(int(start), int(stop)) for start, stop in operator.ranges(file)]:
            return bench.fault(f"ranges() of {file.name!r} differ from one call to the next")
        holes = [(one, other) for one, other in pairwise(ranges) if one[1] != other[0]]
        if holes or any(stop < start for start, stop in ranges):
            return bench.fault(f"ranges() of {file.name!r} leave a hole or overlap: {shown(ranges)}")
        whole = operator.counts != "bytes" or (bool(ranges) and (ranges[0][0], ranges[-1][1]) == (0, file.size))
        if not whole:
            return bench.fault(f"ranges() of {file.name!r} ({file.size} bytes) do not cover it: {shown(ranges)}")
    return None


def check_cuts(bench: Bench) -> Fault | None:
    """Small shards give the documents that the whole file gives."""
    bench.made()
    whole = read_files(bench, bench.one, input_files(bench))
    cut = _read_small(bench)
    for name, reading in whole.items():
        found = _difference(reading, cut[name])
        if found is not None:
            return bench.fault(f"{name!r} in {len(cut[name].ranges)} ranges gave {found}", shown=f"shard={_SMALL}")
    return None


def _read_small(bench: Bench) -> dict[str, Reading]:
    """Read the samples in many small ranges."""
    small = type(bench.options).model_validate({**bench.options.model_dump(), "shard": _SMALL})
    return read_files(bench, bench.build(options=small), input_files(bench))


def _difference(whole: Reading, cut: Reading) -> str | None:
    if len(whole.rows) != len(cut.rows):
        return f"{len(cut.rows)} documents, in one range {len(whole.rows)}"
    for row, (one, other) in enumerate(zip(whole.rows, cut.rows, strict=True)):
        if one != {**other, "offset": one["offset"]}:
            return f"document {row} as {shown(other, 160)}, in one range {shown(one, 160)}"
    return None if len(whole.rejects) == len(cut.rejects) else "other rejected records than one range"


def check_offsets(bench: Bench) -> Fault | None:
    """Offsets are the records' places: whole numbers, ascending in a file, each once."""
    bench.made()
    for name, reading in _read_small(bench).items():
        offsets = [row["offset"] for row in reading.rows]
        taken = [offset for offset, _, _ in reading.rejects]
        if any(offset is None or offset < 0 for offset in [*offsets, *taken]):
            return bench.fault(f"an offset in {name!r} is null or below 0")
        if any(other <= one for one, other in pairwise(offsets)) or set(offsets) & set(taken):
            return bench.fault(f"offsets in {name!r} are not ascending and different: {shown(offsets)}")
    return None


def check_damage(bench: Bench) -> Fault | None:
    """Damage ends in CorruptFile or in rejected records, never in another exception or in silence."""
    made = bench.made()
    for file in input_files(bench):
        documents = sum(name.startswith(f"{file.name}, document") for name in made)
        for what, data, one_line in damaged(file.path):
            found = _read_damaged(bench, SampleFile(file.path, data))
            if isinstance(found, Raised):
                if isinstance(found.error, CorruptFile):
                    continue
                return Fault(f"a file with {what} raised {found.words}", f"{file.name!r}, {what}", found.where)
            fault = _judge(bench, found, f"{file.name!r}, {what}", documents if one_line else 0)
            if fault is not None:
                return fault
    return None


def _read_damaged(bench: Bench, file: SampleFile) -> Any:
    return attempt(bench.operator, lambda: read_files(bench, bench.build(), [file])[file.name])


def _judge(bench: Bench, reading: Reading, what: str, documents: int) -> Fault | None:
    for offset, reason, size in reading.rejects:
        if not isinstance(reason, str) or not reason or " " in reason:
            return bench.fault(f"a record was rejected for {reason!r}: a reason is one short, stable word", shown=what)
        if offset is None or offset < 0 or size > _RAW:
            return bench.fault(f"a record was rejected at {offset!r} with {size:,} bytes of it", shown=what)
    if len(reading.rows) + len(reading.rejects) < documents:
        lost = f"{len(reading.rows)} documents and {len(reading.rejects)} rejects are left of {documents} documents"
        return bench.fault(f"one broken line was lost without a word: {lost}", shown=what)
    return None


def check_state(bench: Bench) -> Fault | None:
    """What `prepare` found travels to workers as JSON."""
    import json

    bench.made()
    state = bench.one.state()
    again = json.loads(json.dumps(state))
    return None if again == state else bench.fault(f"state() changes on the way through JSON: {shown(state)}")


CLAIMS = (
    Claim(
        "state",
        "state() is JSON, and restore(state()) makes another reader the same",
        "return plain mappings, lists, texts and numbers (keys as text)",
        check_state,
        _READ,
    ),
    Claim(
        "ranges",
        "ranges() cuts a file into ranges that follow one another and cover it",
        "return [(0, a), (a, b), …, (z, file.size)], the same each time",
        check_ranges,
        _READ,
    ),
    Claim(
        "cuts",
        "a file read range by range gives the documents it gives as a whole",
        "cut at record starts; a record belongs to the range in which it starts",
        check_cuts,
        _READ,
    ),
    Claim(
        "offsets",
        "`offset` is the record's place in the file, ascending, each once",
        "count from the start of the file (part.start + …), not from the start of the range",
        check_offsets,
        _READ,
    ),
    Claim(
        "damage",
        "a damaged file raises CorruptFile, a bad record goes to reject; nothing is lost in silence",
        "raise CorruptFile(file.name, reason, offset=…), or call reject(raw, offset, reason) and go on",
        check_damage,
        _READ,
        ("memory",),
    ),
)
