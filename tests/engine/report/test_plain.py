"""Plain text: nothing from outside steers a terminal, numbers read as people write them."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.report.plain import duration, number, share, table, visible, width

ANY_TEXT = st.text(st.characters())  # all code points, surrogates too


@given(text=ANY_TEXT)
def test_what_is_shown_holds_no_control(text: str) -> None:
    """Whatever comes in, no control, format mark, surrogate or line break comes out."""
    assert not [one for one in visible(text) if unicodedata.category(one) in {"Cc", "Cf", "Cs", "Zl", "Zp"}]


@given(text=ANY_TEXT, limit=st.integers(1, 30))
def test_the_limit_holds(text: str, limit: int) -> None:
    """Text is cut to the limit, ellipsis included."""
    assert len(visible(text, limit)) <= limit


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x9b2Jtext", "text"),
        ("a\r\nb\tc", "a b c"),
        ("user\u202egnp.exe", "usergnp.exe"),
        ("bad \udc80 byte", "bad \ufffd byte"),
        ("[red]stays[/red] <b>", "[red]stays[/red] <b>"),
        ("中文 stays", "中文 stays"),
    ],
)
def test_escapes_go_and_words_stay(raw: str, shown: str) -> None:
    """Whole escape sequences disappear, markup of others' libraries is only text."""
    assert visible(raw) == shown


@given(rows=st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8)), min_size=1, max_size=5))
def test_columns_line_up(rows: list[tuple[str, str]]) -> None:
    """The second column starts in the same terminal cell in every line, wide characters included."""
    plain = [(visible(left), "|" + visible(right)) for left, right in rows]
    starts = {
        width(line[: line.rindex("|" + visible(right))]) for line, (_, right) in zip(table(plain), rows, strict=True)
    }
    assert len(starts) == 1


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(None, "-"), (0.04, "0.0 s"), (9.96, "10 s"), (59.6, "1 min 0 s"), (75, "1 min 15 s"), (7300, "2 h 1 min")],
)
def test_durations_read_naturally(seconds: float | None, shown: str) -> None:
    """Seconds, then minutes, then hours; never 60 s."""
    assert duration(seconds) == shown


@pytest.mark.parametrize(
    ("part", "whole", "shown"),
    [(0, 0, "-"), (0, 9, "0.0 %"), (1, 10**6, "<0.1 %"), (10**6 - 1, 10**6, ">99.9 %"), (9, 9, "100.0 %")],
)
def test_shares_do_not_round_to_nothing_or_all(part: int, whole: int, shown: str) -> None:
    """One document in a million is not '0.0 %', and all but one are not '100.0 %'."""
    assert share(part, whole) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(1234567, "1,234,567"), (0.70001, "0.7"), (float("nan"), "nan"), (True, "yes"), (None, "-"), ("a\x1bb", "a b")],
)
def test_values_of_any_kind_are_shown(value: object, shown: str) -> None:
    """Integers get separators, floats four digits, anything else is made harmless."""
    assert number(value) == shown
