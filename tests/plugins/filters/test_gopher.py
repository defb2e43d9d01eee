"""filter.gopher-quality and filter.gopher-repetition against plain Python, per dialect, on real and on random text."""

from __future__ import annotations

import json
import lzma
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusmill_plugins.filters.gopher_quality import GopherQuality
from corpusmill_plugins.filters.gopher_repetition import GopherRepetition
from corpusmill_plugins.kernels.plain import quality, repetition
from corpusmill_plugins.kernels.plain.words import split

DIALECTS = ("datatrove", "dolma", "dclm")
PIECES = st.sampled_from(
    [
        *(
            "a",
            "b",
            "ab",
            "aa",
            "the ",
            "and ",
            " ",
            "\n",
            "\n\n",
            "\r\n",
            "\u2028",
            ". ",
            "...",
            " . . .",
            "\u2026",
            "#",
        ),
        *("-", "*", "\u2022", "\u25cf", "_", "'", "\u0301", "1", "1,2"),
        *("\u4e2d", "\u7684", "\u3042", "\u0e01", "\U0001f600"),
    ]
)
TEXTS = st.lists(PIECES | st.characters(exclude_categories=["Cs", "Cn"]), max_size=60).map("".join)

ENGLISH = (
    "The history of the town begins with a small church that was built to serve the farmers of the valley. "
    "Many of them have left since, and those who stayed remember how the river used to freeze in winter. "
    "A road was opened to the coast, and with it came merchants, teachers and a doctor. "
)
CHINESE = (
    "小镇的历史始于一座为山谷里的农民修建的小教堂。许多人后来离开了这里，留下来的人还记得河水在冬天结冰的样子。"
    "通往海岸的道路开通以后，商人、教师和一位医生也来到了这里。学校建在河边，孩子们每天走很远的路去上课。"
)


def batch(texts: list[str | None], **columns: Any) -> pa.RecordBatch:
    return pa.record_batch({"text": pa.array(texts, pa.large_string()), **columns})


def reasons(operator: Any, rows: pa.RecordBatch) -> list[str | None]:
    verdicts = operator.judge(rows)
    return [None if rule < 0 else verdicts.rules[rule].name for rule in verdicts.rule]


def plain_quality(text: str, dialect: str, rule: str) -> dict[str, float | None]:
    profile = quality.profile_of(text)
    stop_words = quality.CHINESE_STOP_WORDS if profile == "chinese" else quality.ENGLISH_STOP_WORDS
    return quality.measure(text, dialect, rule, profile, stop_words)


def plain_repetition(text: str, dialect: str, rule: str, adapt: bool = True) -> dict[str, float]:
    spaced = not adapt or quality.profile_of(text) == "spaced"
    return repetition.measure(text, split(text, rule if spaced else "unicode"), dialect, 1 if spaced else 2)


def assert_equal(texts: list[str], dialect: str, rule: str) -> None:
    """Compare every signal, and the verdict with its value and limit, to the bit."""
    rows = batch(list(texts))
    good = GopherQuality(GopherQuality.Options(dialect=dialect, words=rule))
    again = GopherRepetition(GopherRepetition.Options(dialect=dialect, words=rule))
    measured, repeated = good.measure(rows), again.measure(rows)
    judged = decisions(good, rows), decisions(again, rows)
    for row, text in enumerate(texts):
        signals = plain_quality(text, dialect, rule)
        for name, value in signals.items():
            assert value is None or measured[name][row] == value, (name, text[:200])
        assert judged[0][row] == first_broken(plain_quality_limits(dialect), signals), text[:200]
        again_signals = plain_repetition(text, dialect, rule)
        for name, value in again_signals.items():
            assert repeated[name][row] == value, (name, text[:200])
        assert judged[1][row] == first_broken(plain_repetition_limits(dialect), again_signals), text[:200]


def decisions(operator: Any, rows: pa.RecordBatch) -> list[tuple[str, float] | None]:
    """The signal that decided and its value, None for what stays."""
    verdicts = operator.judge(rows)
    pairs = zip(verdicts.rule.tolist(), verdicts.value.tolist(), strict=True)
    return [None if rule < 0 else (verdicts.rules[rule].signal, value) for rule, value in pairs]


def first_broken(limits: list[tuple[str, float, float]], signals: dict[str, Any]) -> tuple[str, float] | None:
    """The first signal outside its limits; one that is not judged (None) is inside."""
    for name, low, high in limits:
        if signals[name] is not None and not low <= signals[name] <= high:
            return name, signals[name]
    return None


def plain_quality_limits(dialect: str) -> list[tuple[str, float, float]]:
    """Gopher's table A1, written out once more."""
    symbols = ("hashes", "ellipses") if dialect == "datatrove" else ("symbols",)
    return [
        ("words", 50, 100_000),
        ("word_length", 3, 10),
        *((name, 0, 0.1) for name in symbols),
        ("bullets", 0, 0.9),
        ("ellipsis_lines", 0, 0.3),
        ("alphabetic", 0.8, 1),
        ("stop_words", 2, float("inf")),
    ]


def plain_repetition_limits(dialect: str) -> list[tuple[str, float, float]]:
    empty = [] if dialect == "dolma" else [("segments", 1.0, float("inf"))]
    return [*empty, *((name, 0.0, limit) for name, limit in repetition.LIMITS[dialect].items())]


@pytest.mark.parametrize("dialect", DIALECTS)
@given(texts=st.lists(TEXTS, max_size=4), rule=st.sampled_from(["unicode", "whitespace"]))
@settings(max_examples=150, deadline=None)
def test_signals_equal_plain_python_on_any_text(dialect: str, texts: list[str], rule: str) -> None:
    """Every signal of both filters is, to the bit, what the plain Python of the dialect measures."""
    assert_equal(texts, dialect, rule)


def real_documents(folder: Path, each: int, characters: int) -> list[str]:
    """`each` documents of every source (evenly spread over its file): PEPs, Chinese articles, docs, Chinese laws."""
    texts = []
    for name in ("c_neardup/pep-history", "b_corpora/zh-lctt", "b_corpora/tf-docs-multi", "c_neardup/zh-laws-versions"):
        with lzma.open(next((folder / name).glob("*.jsonl.xz")), "rt", encoding="utf-8") as file:
            lines = file.readlines()
        texts += [json.loads(line)["text"][:characters] for line in lines[:: max(1, len(lines) // each)][:each]]
    return texts


@pytest.fixture(scope="module")
def sample(test_data: Path) -> list[str]:
    return real_documents(test_data, 100, 1200)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_verdicts_equal_plain_python_on_real_documents(dialect: str, sample: list[str]) -> None:
    """Signals and verdicts are those of plain Python on 400 real documents of four kinds, English, Chinese and others.

    Some are kept and some dropped for more than one reason: the comparison sees both.
    """
    rule = "whitespace" if dialect == "dolma" else "unicode"
    assert len(sample) == 400
    assert_equal(sample, dialect, rule)
    rows = batch(list(sample))
    kinds = [kind(kind.Options(dialect=dialect, words=rule)) for kind in (GopherQuality, GopherRepetition)]
    found = [set(reasons(kind, rows)) for kind in kinds]
    assert all(None in one for one in found)
    assert len(found[0] | found[1]) > 4


@pytest.mark.scale
@pytest.mark.parametrize("dialect", DIALECTS)
def test_verdicts_equal_plain_python_on_3000_documents(dialect: str, test_data: Path) -> None:
    """The same on 3,000 documents, whole up to 20,000 characters."""
    texts = real_documents(test_data, 750, 20_000)
    assert len(texts) == 3000
    assert_equal(texts, dialect, "whitespace" if dialect == "dolma" else "unicode")


@given(texts=st.lists(TEXTS, min_size=1, max_size=8), cut=st.integers(0, 8))
@settings(max_examples=60, deadline=None)
def test_verdicts_do_not_depend_on_the_batch(texts: list[str], cut: int) -> None:
    """A slice of a batch is judged as the rows alone."""
    rows = batch(list(texts))
    for operator in (GopherQuality(GopherQuality.Options(min_words=3)), GopherRepetition()):
        assert reasons(operator, rows.slice(0, cut)) + reasons(operator, rows.slice(cut)) == reasons(operator, rows)


def test_english_and_chinese_prose_both_stay() -> None:
    """Prose of either language passes, without a language column; datatrove as published drops the Chinese."""
    rows = batch([ENGLISH * 2, CHINESE * 2])
    for dialect in DIALECTS:
        assert reasons(GopherQuality(GopherQuality.Options(dialect=dialect)), rows) == [None, None]
    published = GopherQuality(GopherQuality.Options(adapt=False))
    assert reasons(published, rows) == [None, "words_too_short"]


def test_chinese_that_is_no_prose_falls() -> None:
    """A list of terms without function characters, and a page of numbers, do not pass as Chinese prose."""
    terms = "电脑手机相机电视冰箱空调洗衣机微波炉" * 4
    numbers = "价格 12 34 56 78 90 " * 20
    found = reasons(GopherQuality(), batch([terms, numbers]))
    assert found == ["too_few_stop_words", "too_few_alphabetic_words"]


def test_the_language_column_overrides_the_text() -> None:
    """A document labelled zh is judged as Chinese; one labelled en as English, whatever its letters; null is told."""
    languages = pa.array(["zh", "en", None], pa.string())
    operator = GopherQuality(GopherQuality.Options(language_column="language"))
    assert operator.reads() == ("text", "language")
    assert reasons(operator, batch([CHINESE] * 3, language=languages)) == [None, "words_too_short", None]


def test_the_first_failing_rule_is_the_reason_with_its_value() -> None:
    """Rules are asked in datatrove's order; the verdict holds what was measured."""
    bullets = "\u2022 the ending of winter and\n" * 60
    verdicts = GopherQuality().judge(batch(["# short", None, "", "word # " * 60, bullets]))
    assert [verdicts.rules[rule].name for rule in verdicts.rule] == [
        "too_few_words",
        "too_few_words",
        "too_few_words",
        "too_many_hashes",
        "too_many_bullets",
    ]
    assert verdicts.value.tolist() == [1.0, 0.0, 0.0, 0.5, 1.0]


def test_limits_are_options() -> None:
    """A limit that is given replaces the dialect's."""
    text = "one line of the text and more\n" * 3 + "another line that has to be here"
    assert reasons(GopherRepetition(), batch([text]))[0] == "lines"
    loose = GopherRepetition.Options(max_lines=0.5, max_line_characters=1, max_top_2=1, max_top_3=1, max_top_4=1)
    assert reasons(GopherRepetition(loose), batch([text]))[0] == "repeated_5"


def test_empty_documents_fall_to_repetition_as_in_the_dialect() -> None:
    """datatrove and DCLM drop an empty document, Dolma keeps it."""
    found = [reasons(GopherRepetition(GopherRepetition.Options(dialect=one)), batch([None, ""])) for one in DIALECTS]
    assert found == [["empty", "empty"], [None, None], ["empty", "empty"]]


STUTTER = st.lists(
    st.sampled_from(["a", "ab", "b", "aab", "ba", "abcdefghijkl", "abcdefghijklm", "m", "中"]), max_size=120
)


@given(words=STUTTER, times=st.integers(1, 3), tail=st.integers(0, 1))
@settings(max_examples=200)
def test_pruned_walks_equal_the_plain_walk(words: list[str], times: int, tail: int) -> None:
    """Where almost everything repeats, across boundaries of words too, leaving positions out changes no signal."""
    text = " ".join(words * times + [f"x{tail}"])
    for dialect in DIALECTS:
        assert_equal([text], dialect, "whitespace")


def test_other_boundaries_and_nearly_equal_bytes() -> None:
    """datatrove's long n-grams ignore boundaries of words; n-grams that differ in one bit are no repeats."""
    joined = "we can not doit now then " + "x y z " + "we cannot do it now then on"
    bits = " ".join(f"one two three four item{digit}" for digit in "0123456789")
    long = " ".join(["q" * 400, "r" * 300, "s" * 500, "t", "u"] * 3 + ["v" * 300])
    measured = GopherRepetition(GopherRepetition.Options(words="whitespace")).measure(batch([joined, bits, long]))
    assert_equal([joined, bits, long], "datatrove", "whitespace")
    assert measured["repeated_6"][0] > 0
    assert measured["repeated_5"][1] == 0
    assert measured["repeated_5"][2] > 0.5


STATUTES = (
    "地方人民政府应当组织水利工作的检查，根据实际情况听取居民对规划的意见，有关法律的规定另有要求的从其要求。"
    "地方人民政府应当公布道路施工的时间，根据实际情况建立公共图书馆，有关法律的规定没有涉及的事项由学校决定。"
    "地方人民政府应当保护当地文化遗产，根据实际情况改善医院的设备，有关法律的规定自今年起适用于港口和机场。"
)


def test_chinese_that_uses_set_phrases_stays() -> None:
    """By default n-grams of Chinese are twice as many characters: set phrases pass, what is copied often does not."""
    prose = STATUTES + CHINESE
    copied = "我们的网站提供最好的服务和最低的价格，欢迎大家光临选购。" * 8
    rows = batch([prose, copied])
    assert reasons(GopherRepetition(), rows) == [None, "top_3"]
    published = GopherRepetition(GopherRepetition.Options(adapt=False))
    assert reasons(published, rows)[0] in {f"repeated_{n}" for n in range(5, 11)}


@pytest.mark.parametrize("dialect", DIALECTS)
@given(texts=st.lists(TEXTS, max_size=3))
@settings(max_examples=50)
def test_as_published_equals_plain_python_too(dialect: str, texts: list[str]) -> None:
    """`adapt: false` measures every document by the dialect's own n-grams."""
    options = GopherRepetition.Options(dialect=dialect, words="unicode", adapt=False)
    measured = GopherRepetition(options).measure(batch(list(texts)))
    for row, text in enumerate(texts):
        for name, value in plain_repetition(text, dialect, "unicode", adapt=False).items():
            assert measured[name][row] == value, (name, text[:200])
