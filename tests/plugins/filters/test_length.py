"""filter.length: what counts as a character and a word, bounds, reasons."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from corpusmill_plugins.filters.length import Length
from corpusmill_plugins.filters.length_kernel import UNSPACED, count_words


def words_by_hand(text: str | None) -> int:
    """The definition, in plain Python."""
    spaced = "".join(
        f" {one} " if any(first <= ord(one) <= last for first, last in UNSPACED) else one for one in text or ""
    )
    return len(spaced.split())


def judged(texts: list[str | None], **options: int) -> list[tuple[str, float] | None]:
    verdicts = Length(Length.Options(**options)).judge(pa.record_batch({"text": pa.array(texts, pa.large_string())}))
    return [
        None if rule < 0 else (verdicts.rules[rule].name, value)
        for rule, value in zip(verdicts.rule.tolist(), verdicts.value.tolist(), strict=True)
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", 0),
        (" \n\t\u3000\xa0", 0),
        ("one two\nthree", 3),
        ("don't stop-gap", 2),
        ("中文分词", 4),
        ("mixed中文mixed", 4),
        ("ひらがなカタカナー", 9),
        ("한국어 문장", 2),
        ("\x1cseparated\x1ffields\x85here", 3),
        ("𠀀𠀁 x😀y", 3),
    ],
)
def test_words_are_counted_as_documented(text: str, words: int) -> None:
    """Runs between white space are words, and each ideograph and kana is one."""
    assert count_words(pa.array([text], pa.large_string())).tolist() == [words] == [words_by_hand(text)]


@given(
    st.lists(
        st.none() | st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from(" \n中ー😀\u2009a")), max_size=6
    )
)
def test_the_kernel_agrees_with_the_definition(texts: list[str | None]) -> None:
    """Compiled and plain counts are equal, also with nulls and in slices."""
    array = pa.array(["x y", None, *texts], pa.large_string()).slice(2)
    assert count_words(array).tolist() == [words_by_hand(text) for text in texts]


def test_each_bound_has_its_reason_and_the_measured_value() -> None:
    """The first bound that fails is the reason; bounds are inclusive; characters are code points."""
    options = {"min_chars": 2, "max_chars": 6, "min_words": 1, "max_words": 2}
    found = judged(["é", "中中", "1234567", "a b c", "a bcd", "   "], **options)
    assert found == [
        ("too-few-characters", 1.0),
        None,
        ("too-many-characters", 7.0),
        ("too-many-words", 3.0),
        None,
        ("too-few-words", 0.0),
    ]


def test_a_null_has_no_characters_and_no_words() -> None:
    """Nulls are judged as empty."""
    assert judged([None, ""], min_chars=1) == [("too-few-characters", 0.0)] * 2
    assert judged([None], max_words=5) == [None]


@pytest.mark.parametrize("options", [{}, {"min_chars": 5, "max_chars": 4}, {"min_words": -1}, {"minimum": 3}])
def test_senseless_bounds_are_refused(options: dict[str, int]) -> None:
    """No bound, crossed bounds, negative bounds and unknown options are errors."""
    with pytest.raises(ValidationError):
        Length.Options(**options)
