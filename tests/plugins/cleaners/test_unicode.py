"""clean.unicode: what it changes, what it leaves, and that batches do not matter."""

from __future__ import annotations

import unicodedata

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill_plugins.cleaners.unicode import SUSPICIOUS, Unicode

TORTURE = st.text(
    st.sampled_from(
        "a é\u0301\u200b\u200d\ufeff\r\n\t\x00\x0b\x85\u2028\u202e中ａ\u3000ﷺ\U0001f469\uffff\u0323İ가ᄀ\u1161"
    ),
    max_size=30,
)


def cleaned(texts: list[str | None], **options: str) -> list[str | None]:
    batch = pa.record_batch({"text": pa.array(texts, pa.large_string())})
    return Unicode(Unicode.Options(**options)).clean(batch)["text"].to_pylist()


@pytest.mark.parametrize(
    ("dirty", "clean"),
    [
        ("one\r\ntwo\rthree\x0bfour\x0cfive\x85six\u2028seven", "one\ntwo\nthree\nfour\nfive\nsix\nseven"),
        ("bell\x07 nul\x00 del\x7f", "bell nul del"),
        ("zero\u200bwidth\ufeff soft\xadhyphen \u202ebidi\u202c", "zerowidth softhyphen bidi"),
        ("e\u0301", "é"),
        ("e\u200b\u0301", "é"),
        ("trailing  \t\nideographic\u3000\nend ", "trailing\nideographic\nend"),
        ("\tindent stays\n\n  so do blank lines", "\tindent stays\n\n  so do blank lines"),
        ("می\u200cخواهم 👩\u200d💻", "می\u200cخواهم 👩\u200d💻"),
        ("中文，全角ＡＢＣ", "中文，全角ＡＢＣ"),
    ],
)
def test_each_kind_of_dirt_is_cleaned_and_the_rest_stays(dirty: str, clean: str) -> None:
    """Line ends, controls, invisible characters, composition and trailing space are cleaned; joiners stay."""
    assert cleaned([dirty], repair="off") == [clean]


def test_nfkc_also_folds_width_and_ligatures() -> None:
    """`form: NFKC` folds what NFC leaves."""
    assert cleaned(["ＡＢＣ ﬁne x\xa0"], form="NFKC") == ["ABC fine x"]


def test_mojibake_is_repaired_only_where_it_is() -> None:
    """A broken line is repaired, a clean one beside it keeps its typographic quotes."""
    broken = "It’s fine — “really” für 日本"
    wrecked = "sÃ© que es difÃ\xadcil"
    assert cleaned([f"{broken}\n{wrecked}"]) == [f"{broken}\nsé que es difícil"]


def test_repair_can_be_switched_off() -> None:
    """`repair: off` leaves mojibake alone."""
    assert cleaned(["cafÃ©"], repair="off") == ["cafÃ©"]
    assert cleaned(["cafÃ©"]) == ["café"]


def test_nulls_and_empty_texts_stay_what_they_are() -> None:
    """A null stays null beside rows that change; an empty text stays empty."""
    assert cleaned([None, "", "x\r\n", None]) == [None, "", "x\n", None]


def test_a_clean_batch_is_returned_untouched() -> None:
    """Nothing to do means no copy."""
    batch = pa.record_batch({"text": pa.array(["plain", "清洁", None], pa.large_string())})
    assert Unicode(Unicode.Options()).clean(batch) is batch


def test_other_columns_and_their_order_stay() -> None:
    """Only the text column changes, also when the step works on another column."""
    from corpusmill import Context

    batch = pa.record_batch({"n": [1, 2], "body": pa.array(["a\r", "b"], pa.large_string()), "text": ["c\r", "d"]})
    out = Unicode(Unicode.Options(), Context(column="body")).clean(batch)
    assert out.to_pydict() == {"n": [1, 2], "body": ["a\n", "b"], "text": ["c\r", "d"]}


@given(st.lists(st.none() | TORTURE | st.text(max_size=20), max_size=8), st.sampled_from(["NFC", "NFKC"]))
def test_rows_are_cleaned_alone(texts: list[str | None], form: str) -> None:
    """A row's result is the same alone, in a batch, and in a slice of a batch."""
    together = cleaned(texts, form=form)
    assert together == [cleaned([text], form=form)[0] for text in texts]
    padded = pa.record_batch({"text": pa.array(["x\r", None, *texts], pa.large_string())}).slice(2)
    assert Unicode(Unicode.Options(form=form)).clean(padded)["text"].to_pylist() == together


@given(st.text(max_size=60) | TORTURE, st.sampled_from(["NFC", "NFKC"]))
def test_cleaning_twice_is_cleaning_once(text: str, form: str) -> None:
    """The result is a fixed point, normalised, without carriage returns or trailing spaces."""
    once = cleaned([text], form=form, repair="off")[0]
    assert once is not None
    assert cleaned([once], form=form, repair="off") == [once]
    assert unicodedata.is_normalized(form, once)
    assert "\r" not in once and all(line == line.rstrip(" \t\u3000") for line in once.split("\n"))


MOJIBAKE = "ÂÃâ€™œ\x9d\xa0©šžяВРС²³√≈‚ÄβΓ°“”»à×│¶a Z1"


@given(st.text(st.sampled_from(MOJIBAKE), max_size=6))
def test_the_fast_gate_misses_nothing_ftfy_calls_bad(text: str) -> None:
    """Whatever ftfy's heuristic flags passes the regular expression in front of it."""
    import pyarrow.compute as pc
    from ftfy.badness import is_bad

    found = pc.match_substring_regex(pa.array([text], pa.large_string()), SUSPICIOUS)[0].as_py()
    assert found or not is_bad(text)
