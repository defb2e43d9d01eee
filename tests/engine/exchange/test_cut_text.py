"""Cutting spans out of texts: what stays, and how gaps are closed."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.exchange.cut_text import cut_text, cut_texts, utf8

PIECES = st.lists(
    st.tuples(
        st.sampled_from(["a", "b c", "中文", "x\ny"]),
        st.sampled_from(["", " ", "\n", "\n\n", " \n\t", "\r\n"]),
        st.booleans(),
    ),
    max_size=8,
)


def plain(lead: str, pieces: list[tuple[str, str, bool]]) -> str:
    """The rule on characters: cut pieces stand in angles; they and the blanks around become the longest break."""

    def closed(match: re.Match[str]) -> str:
        edge = match.start() == 0 or match.end() == len(marked)
        runs = [match[0].partition("<")[0], *re.findall(r"\s+", match[0])]
        return "" if edge else max(runs, key=lambda blanks: blanks.count("\n"))

    marked = lead + "".join((f"<{piece}>" if cut else piece) + blanks for piece, blanks, cut in pieces)
    return re.sub(r"\s*<[^>]*>(?:\s*<[^>]*>)*\s*", closed, marked)


@given(lead=st.sampled_from(["", "\n", "  "]), pieces=PIECES)
def test_gaps_are_closed_by_the_rule(lead: str, pieces: list[tuple[str, str, bool]]) -> None:
    """Any cut of any pieces equals the rule written with a regular expression over characters."""
    text, spans = lead, []
    for piece, blanks, cut in pieces:
        start = len(text.encode())
        if cut:
            spans.append((start, start + len(piece.encode())))
        text += piece + blanks
    assert cut_text(text.encode(), spans).decode() == plain(lead, pieces)


@pytest.mark.parametrize(
    ("text", "cut", "left"),
    [
        ("one\ntwo\nthree", ["two"], "one\nthree"),
        ("one\n\ntwo\nthree", ["two"], "one\n\nthree"),
        ("One. Two.\nThree. Four.", ["Two."], "One.\nThree. Four."),
        ("One. Two.\nThree. Four.", ["Three."], "One. Two.\nFour."),
        ("one\ntwo\n", ["two"], "one"),
        ("  one\ntwo", ["one"], "two"),
        ("甲。乙。丙。", ["乙。"], "甲。丙。"),
        ("one\ntwo", ["one", "two"], ""),
        ("One. Two.\n\nThree. Four.", ["Two.\n\nThree."], "One.\n\nFour."),
        ("one\n \n", [], "one\n \n"),
    ],
)
def test_layout_survives(text: str, cut: list[str], left: str) -> None:
    """Lines stay lines and paragraphs paragraphs; nothing dangles at the ends; without a cut nothing moves."""
    spans = [(at := len(text[: text.index(one)].encode()), at + len(one.encode())) for one in cut]
    assert cut_text(text.encode(), spans).decode() == left


def test_overlapping_spans_are_cut_once() -> None:
    """What goes is the union of the spans."""
    assert cut_text(b"A. B. C. D. E.", [(0, 8), (3, 11)]) == b"E."


@pytest.mark.parametrize("kind", [pa.large_string(), pa.string()])
def test_columns_may_be_slices_with_nulls(kind: pa.DataType) -> None:
    """Each row loses its own spans, whatever stands before it in the buffers; a null row has no bytes."""
    texts = pa.array(["left out", "ab cd", None, "中 ef", ""], kind).slice(1)
    rows, starts, stops = (np.array(one, np.int64) for one in ([0, 2], [0, 4], [2, 6]))
    assert cut_texts(texts, rows, starts, stops) == [b"cd", b"", "中".encode(), b""]
    data, offsets = utf8(texts)
    assert (offsets - offsets[0]).tolist() == [0, 5, 5, 11, 11]
    assert bytes(data[offsets[0] : offsets[1]]) == b"ab cd"
