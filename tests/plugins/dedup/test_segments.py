"""dedup.segments: where segments stand, what counts as equal, windows, and what is asked of cut documents."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from corpusmill import decide
from corpusmill_plugins.dedup.segment_words import count_characters, count_words, segment_words
from corpusmill_plugins.dedup.segments import SegmentDuplicates
from corpusmill_plugins.kernels.plain.spans import SPANS
from corpusmill_plugins.kernels.spans import segment_spans
from corpusmill_plugins.kernels.text import TextBuffer

Batch = pa.RecordBatch
TEXTS = st.text(alphabet=list("ab.!?\"') \n\t\r。！？」…中　"), max_size=40)


def operator(**options: object) -> SegmentDuplicates:
    return SegmentDuplicates(SegmentDuplicates.Options(**options))


def batch(texts: list[str | None]) -> Batch:
    return pa.record_batch({"text": pa.array(texts, pa.large_string())})


def pieces(unit: str, text: str) -> list[str]:
    """The segments of a text, as text."""
    data = text.encode()
    return [data[start:stop].decode() for start, stop in SPANS[unit](data)]


def keyed(texts: list[str | None], **options: object) -> list[tuple[int, str, tuple[int, int]]]:
    """Row, text and key of every segment of a sketch."""
    sketch = operator(**options).sketch(batch(texts))
    assert sketch.spans is not None
    assert (sketch.keys.dtype, sketch.keys.shape[1:], sketch.spans.dtype) == (np.uint64, (2,), np.int64)
    rows = sketch.rows.tolist()
    cut = [
        (texts[row] or "").encode()[start:stop].decode()
        for row, (start, stop) in zip(rows, sketch.spans.tolist(), strict=True)
    ]
    keys = [(int(high), int(low)) for high, low in sketch.keys]
    return list(zip(rows, cut, keys, strict=True))


@pytest.mark.parametrize(
    ("unit", "text", "expected"),
    [
        ("line", "one\n\n  two words \r\nthree", ["one", "two words", "three"]),
        ("line", " \n\t\n", []),
        ("paragraph", "one\nstill one\n \t\ntwo\n\n\n\nthree\n", ["one\nstill one", "two", "three"]),
        ("sentence", "One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ("sentence", "Pi is 3.14, see a.b. Next.", ["Pi is 3.14, see a.b.", "Next."]),
        ("sentence", '"Stop!" he said. (Then left.) End', ['"Stop!"', "he said.", "(Then left.)", "End"]),
        ("sentence", "A title\nA line without an end\nEnd.", ["A title", "A line without an end", "End."]),
        ("sentence", "我去了。你呢？他说：“走！”然后", ["我去了。", "你呢？", "他说：“走！”", "然后"]),
        ("sentence", "什么？！真的。。。是", ["什么？！", "真的。。。", "是"]),
        ("sentence", "Wait… what...  Yes…no", ["Wait…", "what...", "Yes…no"]),
    ],
)
def test_segments_stand_where_they_should(unit: str, text: str, expected: list[str]) -> None:
    """Lines, paragraphs and sentences, English and Chinese, without the blanks around them."""
    assert pieces(unit, text) == expected


@given(text=TEXTS, unit=st.sampled_from(sorted(SPANS)))
def test_segments_are_all_of_a_text_but_blanks(text: str, unit: str) -> None:
    """Spans ascend, do not overlap, do not begin or end with a blank, and leave nothing but blanks out."""
    data = text.encode()
    spans = SPANS[unit](data)
    edges = [0, *(edge for span in spans for edge in span), len(data)]
    assert edges == sorted(edges)
    assert all(start < stop for start, stop in spans)
    blanks = b" \t\n\r\v\f"
    assert b"".join(data[start:stop] for start, stop in zip(edges[::2], edges[1::2], strict=True)).strip(blanks) == b""
    assert all(data[start:stop].strip(blanks) == data[start:stop] for start, stop in spans)


@pytest.mark.parametrize(
    ("normalise", "groups"),
    [
        ("none", [["a b"], ["a  b"], ["A B"], ["caf\u00c9"], ["cafe\u0301"]]),
        ("whitespace", [["a b", "a  b"], ["A B"], ["caf\u00c9"], ["cafe\u0301"]]),
        ("casefold", [["a b", "A B"], ["a  b"], ["caf\u00c9", "cafe\u0301"]]),
        ("casefold-whitespace", [["a b", "a  b", "A B"], ["caf\u00c9", "cafe\u0301"]]),
    ],
)
def test_normalisation_is_that_of_exact(normalise: str, groups: list[list[str]]) -> None:
    """Segments share a key exactly where their normalised texts are equal."""
    found: dict[tuple[int, int], list[str]] = {}
    for _, text, key in keyed(["a b\na  b\nA B", "caf\u00c9\ncafe\u0301"], normalise=normalise):
        found.setdefault(key, []).append(text)
    assert list(found.values()) == groups


def test_what_is_nothing_once_normalised_has_no_key() -> None:
    """A line of ideographic blanks is a segment only where blanks count; null and empty texts have none."""
    texts = ["\u3000\nx", None, ""]
    assert [text for _, text, _ in keyed(texts)] == ["\u3000", "x"]
    assert [text for _, text, _ in keyed(texts, normalise="whitespace")] == ["x"]


def test_a_window_is_consecutive_segments_as_one() -> None:
    """Windows of three overlap; equal sequences of segments share a key, other orders and shorter texts do not."""
    found = keyed(["A. B. C. D.", "B.  C.\nD. E.", "C. B. D.", "B. C."], unit="sentence", window=3)
    assert [(row, text) for row, text, _ in found] == [
        (0, "A. B. C."),
        (0, "B. C. D."),
        (1, "B.  C.\nD."),
        (1, "C.\nD. E."),
        (2, "C. B. D."),
    ]
    keys = [key for _, _, key in found]
    assert keys[1] == keys[2]
    assert len(set(keys)) == 4


def test_short_segments_have_no_key() -> None:
    """Below `min_chars` or `min_words` a segment is never cut; a Han character is a word; windows count as a whole."""
    texts = ["ab\nabc\na b\n甲乙"]
    assert [text for _, text, _ in keyed(texts, min_chars=3)] == ["abc", "a b"]
    assert [text for _, text, _ in keyed(texts, min_words=2)] == ["a b", "甲乙"]
    assert [text for _, text, _ in keyed(texts, window=2, min_words=3)] == ["abc\na b", "a b\n甲乙"]


def test_keys_do_not_depend_on_the_batch() -> None:
    """A slice gives the keys and spans of its rows."""
    texts = ["x", "one\ntwo", None, "two"]
    whole, cut = operator().sketch(batch(texts)), operator().sketch(batch(texts).slice(1))
    assert whole.spans is not None
    assert cut.spans is not None
    assert cut.keys.tolist() == whole.keys[1:].tolist()
    assert cut.spans.tolist() == whole.spans[1:].tolist() == [[0, 3], [4, 7], [0, 3]]
    assert cut.rows.tolist() == [0, 0, 2]


def test_nothing_gives_no_keys() -> None:
    """A batch without text has keys and spans of the right shapes and no row."""
    for texts in ([], [None, "", " \n"]):
        sketch = operator().sketch(batch(texts))
        assert sketch.spans is not None
        assert (sketch.keys.shape, sketch.rows.shape, sketch.spans.shape) == ((0, 2), (0,), (0, 2))


@pytest.mark.parametrize(
    ("options", "failing"),
    [
        ({}, [None, None, None]),
        ({"max_cut_share": 0.5}, ["too-much-cut", None, "too-much-cut"]),
        ({"min_doc_words": 2}, ["too-few-words", None, "too-few-words"]),
        ({"min_doc_sentences": 1}, [None, None, "too-few-sentences"]),
        ({"max_cut_share": 0.9, "min_doc_words": 4}, ["too-few-words", "too-few-words", "too-much-cut"]),
    ],
)
def test_cut_documents_are_judged(options: dict[str, float], failing: list[str | None]) -> None:
    """Each bound asks what its name says, of the document as it is left; the first that fails is the reason."""
    given = operator(**options)
    measured = given.measure_cut(batch(["one two three", "甲乙丙 x", "gone"]), batch(["one", "甲乙丙", ""]))
    verdicts = decide(measured, given.rules(), 3)
    assert [None if rule < 0 else verdicts.rules[rule].name for rule in verdicts.rule] == failing


def test_the_share_cut_is_of_characters() -> None:
    """Seven of ten characters cut is 0.7, whatever their bytes."""
    given = operator(max_cut_share=0.1)
    measured = given.measure_cut(batch(["中" * 7 + "abc"]), batch(["abc"]))
    assert measured["cut_share"].tolist() == pytest.approx([0.7])


@given(texts=st.lists(st.none() | TEXTS, max_size=4), unit=st.sampled_from(sorted(SPANS)), skip=st.integers(0, 2))
@settings(max_examples=300)
def test_the_kernel_cuts_as_its_definition_does(texts: list[str | None], unit: str, skip: int) -> None:
    """Rows and places of all segments of a slice with nulls are those of the plain functions."""
    buffer = TextBuffer.of(pa.array(texts, pa.large_string()).slice(skip))
    rows, starts, stops = segment_spans(buffer, unit)
    begins = buffer.starts[rows]
    found = list(zip(rows.tolist(), (starts - begins).tolist(), (stops - begins).tolist(), strict=True))
    assert found == [
        (row, *span) for row, text in enumerate(texts[skip:]) for span in SPANS[unit]((text or "").encode())
    ]


@pytest.mark.parametrize("mark", [".", "\n", " ", "。", '"', "x", "…"])
def test_long_runs_take_one_walk(mark: str) -> None:
    """A million of the same character, which a walk that goes back would not finish, is cut as a short run is."""
    for unit in SPANS:
        text = "a " + mark * 1_000_000 + "b"
        _, starts, _ = segment_spans(TextBuffer.of_texts([text]), unit)
        assert len(starts) == len(SPANS[unit](f"a {mark * 10}b".encode()))


@pytest.mark.parametrize(
    ("text", "words"),
    [("", 0), ("one two,three", 2), ("中文 is two", 4), ("カナ", 2), ("a中b", 3), ("a\u3000b\u00a0c\u2028d\x1ce", 5)],
)
def test_words_are_those_of_filter_length(text: str, words: int) -> None:
    """Runs between white space, Han and kana one by one: the same number that filter.length counts."""
    from corpusmill_plugins.filters.length_kernel import count_words as counted

    texts = pa.array([None, text], pa.large_string())
    assert count_words(texts).tolist() == [0, words] == counted(texts).tolist()


@given(texts=st.lists(TEXTS, max_size=4))
def test_segments_are_counted_where_they_stand(texts: list[str]) -> None:
    """Words and characters of segments in the buffer are those of the segments as texts of their own."""
    buffer = TextBuffer.of(pa.array(["out", *texts], pa.large_string()).slice(1))
    _, starts, stops = segment_spans(buffer, "sentence")
    own = [bytes(buffer.data[start:stop]).decode() for start, stop in zip(starts, stops, strict=True)]
    assert segment_words(buffer, starts, stops).tolist() == count_words(pa.array(own, pa.large_string())).tolist()
    assert count_characters(buffer, starts, stops).tolist() == [len(one) for one in own]


def test_options_that_change_keys_are_declared() -> None:
    """What changes keys, spans or rank is in the sketch's key; what judges the rest is not."""
    fields = set(SegmentDuplicates.Options.model_fields)
    assert fields - set(SegmentDuplicates.key_options) == {"max_cut_share", "min_doc_words", "min_doc_sentences"}
    with pytest.raises(ValidationError):
        SegmentDuplicates.Options(window=0)
