"""filter.where: comparisons, combinations, nulls, reasons and what they show."""

from __future__ import annotations

import math
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from corpusmill import CorpusmillError
from corpusmill_plugins.filters.where import Where

BATCH = pa.record_batch(
    {
        "text": pa.array(["a", "b", "c", "d"], pa.large_string()),
        "language": pa.array(["en", "zh", None, "fr"], pa.large_string()),
        "score": pa.array([0.9, 0.5, None, math.nan]),
        "stars": pa.array([5, None, 3, 1], pa.int8()),
        "good": pa.array([True, False, None, True]),
    }
)


def kept(options: dict[str, Any], batch: pa.RecordBatch = BATCH) -> list[bool]:
    return Where(Where.Options(**options)).judge(batch).keep.tolist()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"column": "time", "at_least": 0}, [1, 0, 1, 0]),
        ({"column": "time", "at_most": 1.7e18}, [0, 1, 1, 0]),
        ({"column": "time", "is": 2**63 - 1}, [1, 0, 0, 0]),
        ({"column": "time", "at_least": 0.5}, [1, 0, 1, 0]),
        ({"column": "hash", "at_least": 5}, [1, 0, 0, 1]),
        ({"column": "hash", "at_least": -1}, [1, 1, 0, 1]),
        ({"column": "hash", "is_not": 2**64 - 1}, [0, 1, 1, 1]),
        ({"column": "hash", "in": [-3, 5, 2**70]}, [0, 0, 0, 1]),
    ],
)
def test_numbers_beyond_those_of_a_float_are_compared(options: dict[str, Any], expected: list[int]) -> None:
    """Times in ns and hashes: Arrow itself refuses to hold them against a float."""
    time, hashes = [2**63 - 1, -5, 1_700_000_000_000_000_000, None], [2**64 - 1, 0, None, 5]
    batch = pa.record_batch({"time": pa.array(time, pa.int64()), "hash": pa.array(hashes, pa.uint64())})
    assert kept(options, batch) == [bool(one) for one in expected]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"column": "language", "is": "en"}, [1, 0, 0, 0]),
        ({"column": "language", "is_not": "en"}, [0, 1, 1, 1]),
        ({"column": "language", "in": ["en", "zh"]}, [1, 1, 0, 0]),
        ({"column": "language", "not_in": ["en", "zh"]}, [0, 0, 1, 1]),
        ({"column": "language", "in": []}, [0, 0, 0, 0]),
        ({"column": "language", "is_null": True}, [0, 0, 1, 0]),
        ({"column": "language", "is_null": False}, [1, 1, 0, 1]),
        ({"column": "score", "at_least": 0.5}, [1, 1, 0, 0]),
        ({"column": "score", "at_most": 0.5}, [0, 1, 0, 0]),
        ({"column": "score", "at_least": 0.4, "at_most": 0.6}, [0, 1, 0, 0]),
        ({"column": "stars", "in": [5, 3]}, [1, 0, 1, 0]),
        ({"column": "stars", "at_least": 2.5}, [1, 0, 1, 0]),
        ({"column": "stars", "is": 1000}, [0, 0, 0, 0]),
        ({"column": "good", "is": True}, [1, 0, 0, 1]),
        ({"column": "good", "is_not": True}, [0, 1, 1, 0]),
        ({"not": {"column": "score", "at_least": 0.6}}, [0, 1, 1, 1]),
        ({"all": [{"column": "language", "is": "en"}, {"column": "stars", "at_least": 5}]}, [1, 0, 0, 0]),
        ({"any": [{"column": "language", "is": "zh"}, {"column": "stars", "at_least": 3}]}, [1, 1, 1, 0]),
        ({"not": {"any": [{"column": "good", "is": True}, {"column": "score", "is_null": True}]}}, [0, 1, 0, 0]),
    ],
)
def test_every_comparison_keeps_what_it_says(options: dict[str, Any], expected: list[int]) -> None:
    """Each comparison and combination, with nulls and NaN, against a table made by hand."""
    assert kept(options) == [bool(one) for one in expected]


def test_the_reason_is_the_comparison_and_the_detail_the_value_found() -> None:
    """The ledger shows rule text, value where it is a number, and what was found."""
    verdicts = Where(Where.Options(column="language", **{"in": ["en", "zh"]})).judge(BATCH)
    assert [rule.name for rule in verdicts.rules] == ["language in [en, zh]"]
    assert verdicts.detail == [None, None, "null", "fr"]
    verdicts = Where(Where.Options(column="score", at_least=0.6)).judge(BATCH)
    assert (verdicts.rules[0].name, verdicts.rules[0].threshold) == ("score >= 0.6", 0.6)
    assert verdicts.value[1] == 0.5 and verdicts.detail == [None, "0.5", "null", "nan"]


def test_parts_of_all_are_reasons_of_their_own_in_order() -> None:
    """A row that fails two parts is counted for the first."""
    condition = {"all": [{"column": "language", "is_null": False}, {"column": "stars", "at_least": 4}]}
    verdicts = Where(Where.Options(**condition)).judge(BATCH)
    assert [rule.name for rule in verdicts.rules] == ["language is not null", "stars >= 4.0"]
    assert verdicts.rule.tolist() == [-1, 1, 0, 1]
    assert verdicts.value.tolist()[3] == 1.0


def test_a_combination_names_all_values_it_looked_at() -> None:
    """`any` has one reason in words, and the detail shows each column."""
    condition = {"any": [{"column": "language", "is": "en"}, {"column": "score", "at_least": 0.6}]}
    verdicts = Where(Where.Options(**condition)).judge(BATCH)
    assert verdicts.rules[0].name == "language is en or score >= 0.6"
    assert verdicts.detail is not None and verdicts.detail[1] == "language=zh, score=0.5"


def test_it_reads_the_columns_it_names_and_not_the_text() -> None:
    """The plan checks the columns of all conditions."""
    condition = {
        "all": [{"column": "b", "is": 1}, {"not": {"any": [{"column": "a", "is": 1}, {"column": "b", "is": 2}]}}]
    }
    assert Where(Where.Options(**condition)).reads() == ("b", "a")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"column": "a"},
        {"is": "en"},
        {"column": "a", "is": 1, "all": [{"column": "b", "is": 1}]},
        {"all": []},
        {"all": [{"column": "a"}]},
        {"column": "a", "equals": 1},
        {"column": "a", "at_least": "high"},
        {"not": {}},
    ],
)
def test_incomplete_and_contradictory_conditions_are_refused(options: dict[str, Any]) -> None:
    """What cannot be meant is an error when the spec is checked."""
    with pytest.raises(ValidationError):
        Where.Options(**options)


@pytest.mark.parametrize(
    "options",
    [
        {"column": "language", "is": 1},
        {"column": "stars", "is": "five"},
        {"column": "good", "is": 1},
        {"column": "language", "at_least": 1},
    ],
)
def test_values_of_another_type_are_an_error_not_a_mismatch(options: dict[str, Any]) -> None:
    """Comparing text with numbers says so instead of removing everything."""
    with pytest.raises(CorpusmillError, match="cannot be compared"):
        kept(options)


def test_dictionary_columns_compare_by_value() -> None:
    """Dictionary encoding is storage, not meaning."""
    batch = pa.record_batch({"language": pa.array(["en", None, "zh"]).dictionary_encode()})
    assert kept({"column": "language", "is": "zh"}, batch) == [False, False, True]


@given(st.lists(st.tuples(st.sampled_from(["en", "zh", None]), st.none() | st.floats(0, 1)), max_size=8))
def test_rows_are_judged_alone(rows: list[tuple[str | None, float | None]]) -> None:
    """A row's verdict is the same alone, in a batch and in a slice."""
    condition = {"any": [{"column": "language", "is": "en"}, {"column": "score", "at_least": 0.5}]}

    def batch(some: list[tuple[str | None, float | None]]) -> pa.RecordBatch:
        languages, scores = [row[0] for row in some], [row[1] for row in some]
        return pa.record_batch({"language": pa.array(languages, pa.string()), "score": pa.array(scores, pa.float64())})

    together = kept(condition, batch(rows))
    assert together == [kept(condition, batch([row]))[0] for row in rows]
    assert together == kept(condition, batch([("en", 1.0), *rows]).slice(1))
