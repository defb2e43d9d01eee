"""The difference of two texts: a few lines, the changed ones, harmless for a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.report.difference import difference

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


@given(TEXT, TEXT)
def test_a_difference_is_few_harmless_lines(before: str, after: str) -> None:
    """At most six lines and the rest counted; nothing is shown if and only if nothing changed; no controls."""
    lines = difference(before, after)
    assert len(lines) <= 7
    assert (lines == []) == (before == after)
    assert all(line[0] in "-+…" and not set("\n\r\x1b\x07") & set(line) for line in lines)
