"""The difference of two texts: a few lines, the changed ones, harmless for a terminal."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.report.difference import difference
from corpusmill.report.plain import width as cells

TEXT = st.lists(st.text(max_size=5), max_size=12).map("\n".join)


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        ("same", "same", []),
        ("a\nb\nc", "a\nB\nc", ["- b", "+ B"]),
        ("a\nb", "a", ["- b"]),
        ("a", "a\nb", ["+ b"]),
        ("<p>", "", ["- <p>"]),
        ("", "text", ["+ text"]),
        ("a\nb\nc\nd", "A\nb\nc\nD", ["- a", "+ A", "- d", "+ D"]),
    ],
)
def test_the_changed_lines_are_shown(before: str, after: str, lines: list[str]) -> None:
    """Old lines with a minus, new ones with a plus, the others not at all."""
    assert difference(before, after) == lines


def test_of_a_long_difference_both_sides_are_shown() -> None:
    """A page that became a text: the first lines of each, and how many more."""
    before, after = "\n".join(f"<p>{n}" for n in range(20)), "\n".join(f"{n}" for n in range(10))
    assert difference(before, after) == ["- <p>0", "- <p>1", "- <p>2", "+ 0", "+ 1", "+ 2", "… 24 more lines changed"]


def test_room_that_one_side_leaves_goes_to_the_other() -> None:
    """One new line for many old ones: five of those are shown."""
    assert difference("\n".join("abcdefgh"), "x") == [*(f"- {c}" for c in "abcde"), "+ x", "… 3 more lines changed"]


def test_what_a_terminal_cannot_show_is_escaped() -> None:
    """A control or a blank that went would look like no change at all."""
    assert difference("a\u200bb", "ab") == ["- 'a\\u200bb'", "+ 'ab'"]


def test_a_huge_difference_is_cut() -> None:
    """Matching takes the square of the lines, so only the first 400 are compared."""
    lines = difference("\n".join(f"a{n}" for n in range(50_000)), "\n".join(f"b{n}" for n in range(50_000)))
    assert lines[-1] == "… more lines changed"


LONG = "他说：“说谎的说客说：‘说说而已。’”" * 30


def test_a_long_line_is_cut_out_around_its_change() -> None:
    """One character of a Chinese paragraph without blanks is shown with what stands around it, not the beginning."""
    before, after = f"{LONG}甲乙丙{LONG}", f"{LONG}甲丁丙{LONG}"
    old, new = difference(before, after)
    assert "甲乙丙" in old
    assert "甲丁丙" in new
    assert old.startswith("- …")
    assert old.endswith("…")
    assert max(cells(line) for line in (old, new)) <= 102


def test_changes_far_apart_in_a_line_are_shown_in_pairs() -> None:
    """Each with its own surroundings, old above new."""
    middle = " and so on" * 40
    lines = difference(f"one{middle} two{middle} three", f"ONE{middle} two{middle} THREE")
    assert [line[0] for line in lines] == ["-", "+", "-", "+"]
    assert lines[0].startswith("- one and")
    assert lines[3].endswith("and so on THREE")


def test_colour_marks_the_words_that_changed() -> None:
    """The line is red or green, what changed within it in reverse; without colour the text is the same."""
    before, after = "the quick brown fox", "the quick red fox"
    plain, coloured = difference(before, after), difference(before, after, colour=True)
    assert coloured[0] == ("\x1b[31m- the quick \x1b[0m\x1b[31;7mbrown\x1b[0m\x1b[31m fox\x1b[0m")
    assert [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in coloured] == plain


def test_letters_that_look_the_same_are_escaped() -> None:
    """A letter composed differently looks the same on a terminal: its code points are shown."""
    assert difference("caf\u0065\u0301", "caf\u00e9") == [r"- 'cafe\u0301'", r"+ 'caf\xe9'"]


def test_chinese_beside_an_invisible_character_stays_readable() -> None:
    """Only what cannot be seen is escaped."""
    assert difference("说\u200b说", "说说") == [r"- '说\u200b说'", "+ '说说'"]


@given(TEXT, TEXT)
def test_a_difference_is_few_harmless_lines(before: str, after: str) -> None:
    """At most six lines and the rest counted; nothing is shown if and only if nothing changed; no controls."""
    lines = difference(before, after)
    assert len(lines) <= 7
    assert (lines == []) == (before == after)
    assert all(line[0] in "-+…" and not set("\n\r\x1b\x07") & set(line) for line in lines)
