"""No bytes end a reader: whatever is cut out, put in, doubled or changed, it gives rows or a report."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.append(str(Path(__file__).parents[2] / "benchmarks" / "reliability"))
mutated_inputs = importlib.import_module("mutated_inputs")

# Parquet is parsed by native code that is not ours: its changed files are looked at in processes of their own.
FORMATS = [one for one in mutated_inputs.FORMATS if "Parquet" not in one.name]
WHOLE = {one.name: one.make() for one in FORMATS}
ROWS = {one.name: mutated_inputs.read(one, WHOLE[one.name])[0] for one in FORMATS}


@st.composite
def changes(draw: st.DrawFn) -> tuple[str, bytes]:
    """A format, and a file of it with up to three changes."""
    name = draw(st.sampled_from(sorted(WHOLE)))
    data = WHOLE[name]
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(data)))
        stop = draw(st.integers(start, min(len(data), start + 400)))
        put = draw(st.one_of(st.binary(max_size=40), st.just(data[start:stop] * 2), st.just(b"\n"), st.just(b"")))
        data = data[:start] + put + data[stop:]
    return name, data


@settings(max_examples=150, deadline=None)
@given(changes())
def test_a_reader_gives_rows_or_a_report(changed: tuple[str, bytes]) -> None:
    """Never another exception; and where every byte is under a checksum, never a row that was not there."""
    name, data = changed
    format_ = next(one for one in FORMATS if one.name == name)
    outcome = mutated_inputs.outcome(format_, ROWS[name], data)
    assert outcome in {"exact", "reported", "differing", "fewer"}
    if format_.checksummed and outcome == "differing":
        rows = mutated_inputs.read(format_, data)[0]
        texts = {row["text"] for row in ROWS[name]}
        # A member or a frame may come twice: what is in it is whole.
        assert {row["text"] for row in rows} <= texts
