"""Segments that repeat an earlier one: the join against a dictionary, and what sketches of segments promise."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.errors import OperatorError
from corpusmill.exchange.ranges import KEY_SPACE, key_ranges
from corpusmill.exchange.repeated_segments import part_repeats, repeated_segments
from corpusmill.exchange.row_table import RowTable
from corpusmill.exchange.segment_sketch import SegmentWriter, Spans
from corpusmill.exchange.sketch_file import SketchFile
from corpusmill.plugin.dedup_kind import SEGMENT_OUTPUTS, Deduplicator, Sketch

# Keys whose halves meet: equal high or low halves alone are not equal keys. The ends of the key space are among them.
KEYS = ((0, 0), (0, 1), (1, 0), (KEY_SPACE - 1, 1), (KEY_SPACE - 1, 2), (1 << 63, 5), (1 << 40, 5))
ROW = st.tuples(st.lists(st.integers(0, len(KEYS) - 1), max_size=5), st.booleans(), st.sampled_from([0.0, 1.0, 2.0]))
PARTS = st.lists(st.lists(ROW, max_size=5), min_size=1, max_size=4)


@dataclass
class Written:
    """A part's sketch in files."""

    sketch: SketchFile
    spans: Spans
    mask: Any
    segments: int
    files: tuple[bytes, ...]


def sketch_of(rows: list[Any]) -> tuple[Sketch, pa.Array]:
    """Segments of one byte each, one a key, given last first."""
    flat = [(row, place, key) for row, (keys, _, _) in enumerate(rows) for place, key in enumerate(keys)][::-1]
    keys = np.array([KEYS[key] for _, _, key in flat], np.uint64).reshape(-1, 2)
    spans = np.array([(place, place + 1) for _, place, _ in flat], np.int64).reshape(-1, 2)
    texts = pa.array(["x" * len(keys) for keys, _, _ in rows], pa.large_string())
    return Sketch(keys, np.array([row for row, _, _ in flat], np.int64), spans=spans), texts


def written(folders: Any, rows: list[Any], *, ranked: bool, masked: bool, batch: int = 100) -> Written:
    """Sketch rows in batches and read the files back."""
    writer = SegmentWriter("dedup.test")
    for at in range(0, len(rows), batch):
        rank = np.array([rank for _, _, rank in rows[at : at + batch]], np.float64)
        writer.add(*sketch_of(rows[at : at + batch]), rank if ranked else None)
    folder: Path = folders.mktemp("sketch")
    paths = [folder / name for name in ("keys", "ranks", "spans")]
    writer.write(*paths)
    mask = np.array([selected for _, selected, _ in rows], bool) if masked else None
    sketch, spans = SketchFile(paths[0], paths[1] if writer.has_rank else None), Spans.read(paths[2])
    files = tuple(path.read_bytes() for path in paths if path.exists())
    return Written(sketch, spans, None if mask is None else mask[spans.row], writer.segments, files)


def model(parts: list[list[Any]], *, ranked: bool, masked: bool, preferred: int) -> list[int]:
    """Numbers of all selected segments whose key a better one has: a dictionary, rank by rank."""
    rows = [(part, *row) for part, rows in enumerate(parts) for row in rows]
    every, number = [], 0
    for part, keys, selected, rank in rows:
        for key in keys:
            early = part < preferred
            if selected or not masked:
                every.append((not early, 0.0 if early or not ranked else rank, number, key))
            number += 1
    seen: set[int] = set()
    repeats = []
    for late, _, number, key in sorted(every):
        if key in seen and late:
            repeats.append(number)
        seen.add(key)
    return sorted(repeats)


@given(
    parts=PARTS,
    ranked=st.booleans(),
    masked=st.booleans(),
    earlier=st.integers(0, 2),
    cuts=st.sampled_from([1, 2, 8]),
    block=st.sampled_from([1, 3, 1 << 21]),
)
def test_repeats_are_those_of_a_dictionary(
    tmp_path_factory: Any, parts: list[Any], ranked: bool, masked: bool, earlier: int, cuts: int, block: int
) -> None:
    """For any parts, ranks, selections and earlier corpus, whatever the ranges and blocks: all but the best of equal
    keys, none of the earlier corpus; handed out part by part they are the same."""
    sketches = [written(tmp_path_factory, rows, ranked=ranked, masked=masked) for rows in parts]
    bases = np.cumsum([0, *(one.segments for one in sketches)]).tolist()
    preferred = bases[min(earlier, len(parts))]
    table = RowTable([one.sketch for one in sketches], bases[:-1], preferred)
    found = [
        repeated_segments(
            [one.sketch for one in sketches],
            bases[:-1],
            [one.mask for one in sketches],
            *bounds,
            table,
            key_block=block,
        )
        for bounds in key_ranges(cuts, 1)
    ]
    expected = model(parts, ranked=ranked, masked=masked, preferred=min(earlier, len(parts)))
    assert np.sort(np.concatenate(found)).tolist() == expected
    shares = [part_repeats(found, base, one.segments) for base, one in zip(bases[:-1], sketches, strict=True)]
    assert [base + int(one) for base, share in zip(bases, shares, strict=False) for one in share] == expected


@given(rows=st.lists(ROW, max_size=8), batch=st.integers(1, 4), ranked=st.booleans())
def test_files_do_not_depend_on_the_batches(tmp_path_factory: Any, rows: list[Any], batch: int, ranked: bool) -> None:
    """Key, rank and span files hold the same bytes for any cut of the rows; segments are numbered by place."""
    whole = written(tmp_path_factory, rows, ranked=ranked, masked=True)
    cut = written(tmp_path_factory, rows, ranked=ranked, masked=True, batch=batch)
    assert cut.files == whole.files
    places = list(zip(whole.spans.row.tolist(), whole.spans.start.tolist(), strict=True))
    assert places == [(row, place) for row, (keys, _, _) in enumerate(rows) for place in range(len(keys))]


def test_a_segment_given_twice_is_one() -> None:
    """The same key at the same place twice does not repeat itself."""
    keys, rows, spans = np.zeros((2, 2), np.uint64), np.zeros(2, np.int64), np.array([[0, 1], [0, 1]])
    writer = SegmentWriter()
    writer.add(Sketch(keys, rows, spans=spans), pa.array(["x"], pa.large_string()))
    assert writer.segments == 1


TEXTS = pa.array(["ab中", None], pa.large_string())
GOOD: dict[str, Any] = {
    "keys": np.zeros((1, 2), np.uint64),
    "rows": np.zeros(1, np.int64),
    "spans": np.array([[2, 5]]),
}


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ({"keys": np.zeros(1, np.uint64)}, "equality alone decides"),
        ({"keys": np.zeros((1, 2), np.int64)}, "uint64"),
        ({"rows": np.array([2])}, "rows span 2 to 2"),
        ({"rows": np.zeros(2, np.int64)}, "rows are"),
        ({"spans": None}, "spans are missing"),
        ({"spans": np.zeros((1, 3), np.int64)}, "spans are int64"),
        ({"spans": np.array([[0, 6]])}, "bytes 0 to 6 of a text of 5"),
        ({"spans": np.array([[1, 1]])}, "start below stop"),
        ({"spans": np.array([[-1, 2]])}, "bytes -1 to 2"),
        ({"spans": np.array([[0, 3]])}, "between characters"),
        ({"spans": np.array([[3, 5]])}, "between characters"),
        ({"rows": np.array([1]), "spans": np.array([[0, 1]])}, "of a text of 0"),
        ({"rank": np.zeros(1)}, "ranks are"),
    ],
)
def test_a_broken_sketch_is_told(broken: dict[str, Any], words: str) -> None:
    """Wrong shapes, types, rows and spans are errors that name the operator and say what was found."""
    given = {**GOOD, **broken}
    rank = given.pop("rank", None)
    with pytest.raises(OperatorError) as raised:
        SegmentWriter("dedup.acme").add(Sketch(**given), TEXTS, rank)
    assert words in str(raised.value)
    assert raised.value.where == "dedup.acme"


def test_the_good_sketch_is_good() -> None:
    """The sketch that the broken ones are made of is taken."""
    writer = SegmentWriter()
    writer.add(Sketch(**GOOD), TEXTS)
    assert writer.segments == 1


def test_the_unit_is_part_of_the_contract() -> None:
    """Deduplicators of segments get their outputs; verification and other units are refused when a class is made."""

    class Lines(Deduplicator):
        unit = "segment"

    assert Lines.outputs == SEGMENT_OUTPUTS
    assert "clusters" in Deduplicator.outputs
    with pytest.raises(OperatorError, match="verifies"):
        type("Bad", (Deduplicator,), {"unit": "segment", "verifies": True})
    with pytest.raises(OperatorError, match="'word'"):
        type("Bad", (Deduplicator,), {"unit": "word"})
