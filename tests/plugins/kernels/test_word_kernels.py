"""The word and fold kernels against their plain twins, over every class of character."""

from __future__ import annotations

import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusmill_plugins.kernels.codepoints import UNICODE, build, tables
from corpusmill_plugins.kernels.plain.folding import folded_words
from corpusmill_plugins.kernels.plain.minhash import band_keys as plain_band_keys
from corpusmill_plugins.kernels.plain.minhash import signature
from corpusmill_plugins.kernels.plain.words import split
from corpusmill_plugins.kernels.signatures import band_keys, permutations, signatures
from corpusmill_plugins.kernels.text import TextBuffer
from corpusmill_plugins.kernels.words import word_list

PIECES = st.sampled_from(
    [
        *("don't", "3.14", "1,000", "a.b", "...", "....", "\u2026", "#", "__"),
        *("\u4e2d\u6587", "\u304b\u3099", "\u0e01\u0e47"),
        *("\ufdfa", "\u338f", "\xbd"),
        *("\u200b", "\u0301", "\u2764\ufe0f", "\U0001f600", "\u3000", "\x85", "\x1f", " ", "\n"),
        *("a" * 8, "b" * 7, "c" * 17, "00", "\xc9cole", "\u0130", "\uac00\ub098", "\U00020000"),
    ]
)
TEXTS = st.lists(PIECES | st.characters(exclude_categories=["Cs", "Cn"]), max_size=30).map("".join)


@given(text=TEXTS, rule=st.sampled_from(["unicode", "whitespace"]))
@settings(max_examples=400, deadline=None)
def test_words_are_those_of_the_plain_twin(text: str, rule: str) -> None:
    """Under both rules the kernel cuts any text as the plain Python does."""
    assert [word for word, _ in word_list(text, rule)] == split(text, rule)


@given(text=TEXTS)
@settings(max_examples=200, deadline=None)
def test_words_partition_what_is_not_white_space(text: str) -> None:
    """Every character but white space is in exactly one word."""
    assert "".join(split(text, "unicode")) == "".join(text.split())


@given(texts=st.lists(TEXTS, max_size=4), ngram=st.integers(1, 6))
@settings(max_examples=200, deadline=None)
def test_signatures_are_those_of_the_plain_twin(texts: list[str], ngram: int) -> None:
    """Folding, word hashes, shingles, minima and band keys equal the plain Python, bit for bit."""
    drawn = permutations(12, 7)
    signed, words = signatures(TextBuffer.of_texts(texts), ngram, drawn)
    expected = [signature(text, ngram, drawn.multipliers.tolist(), drawn.masks.tolist()) for text in texts]
    assert signed.tolist() == expected
    assert words.tolist() == [len(folded_words(text)) for text in texts]
    assert band_keys(signed, 3, 4).tolist() == [plain_band_keys(row, 3, 4) for row in expected]


def test_a_document_of_long_expansions_is_folded_whole() -> None:
    """One character may fold to 18: the scratch grows, nothing is cut off or written past its end."""
    drawn = permutations(8, 1)
    text = "\ufdfa" * 400
    signed, _ = signatures(TextBuffer.of_texts([text]), 5, drawn)
    assert signed[0].tolist() == signature(text, 5, drawn.multipliers.tolist(), drawn.masks.tolist())


def test_null_sliced_and_chunked_columns_give_the_same_rows() -> None:
    """Offsets, nulls and chunks of Arrow do not show in the buffer."""
    texts = ["first", None, "", "\u7b2c\u56db", "fifth one"]
    whole = pa.array(texts, pa.large_string())
    for column in (
        whole,
        pa.array(["x", *texts, "y"], pa.large_string()).slice(1, 5),
        pa.array(texts, pa.string()),
        pa.array(texts, pa.string_view()),
        pa.chunked_array([texts[:2], texts[2:]], pa.large_string()),
    ):
        buffer = TextBuffer.of(column)
        data = buffer.data.tobytes()
        cut = [data[start:end].decode() for start, end in zip(buffer.starts, buffer.ends, strict=True)]
        assert cut == ["first", "", "", "\u7b2c\u56db", "fifth one"]
        assert buffer.valid.tolist() == [True, False, True, True, True]
    assert len(TextBuffer.of(pa.array([], pa.large_string()))) == 0
    assert len(TextBuffer.of(pa.nulls(3, pa.large_string()))) == 3


def test_invalid_utf8_stays_inside_the_buffer() -> None:
    """Bytes that are no UTF-8, up to the very end, are read without leaving tables or buffer."""
    raw = bytes(range(256)) + b"\xf0\xff\xf7\xf0"
    offsets = np.array([0, len(raw)], np.int64)
    column = pa.LargeStringArray.from_buffers(1, pa.py_buffer(offsets), pa.py_buffer(raw))
    signed, words = signatures(TextBuffer.of(column), 5, permutations(4, 1))
    assert words[0] > 0
    assert signed.shape == (1, 4)


@pytest.mark.skipif(unicodedata.unidata_version != UNICODE, reason=f"needs a Python with Unicode {UNICODE}")
def test_shipped_tables_are_those_unicode_gives() -> None:
    """`codepoints.npz` is what its builder makes; a change of either without the other is seen."""
    built, shipped = build(), tables()
    for name in ("flag_index", "flag_pages", "fold_index", "fold_pages", "expansions"):
        assert np.array_equal(built[name], getattr(shipped, name)), name
