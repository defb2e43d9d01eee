"""Thresholds: options that filters declare as such change no measured value, and only such options are declared."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from corpusmill import Filter
from corpusmill_plugins.filters.gopher_quality import GopherQuality
from corpusmill_plugins.filters.gopher_repetition import GopherRepetition
from corpusmill_plugins.filters.length import Length

TEXTS = [
    "The quick brown fox and the lazy dog have a day of rest.\n- one\n- two\n# three # four ...\n" * 3,
    "这是一个关于河流和山的故事。这是一个关于河流和山的故事。\n\n的了是在不有人。",
    "สวัสดีครับนี่คือข้อความภาษาไทย",
    "word " * 80,
    "",
    None,
]
BATCH = pa.record_batch({"text": pa.array(TEXTS, pa.large_string())})
FILTERS = [
    (kind, {"dialect": dialect})
    for kind in (GopherQuality, GopherRepetition)
    for dialect in ("datatrove", "dolma", "dclm")
]


def measured(kind: type[Filter], **options: Any) -> tuple[Any, dict[str, list[float]]]:
    made = kind(kind.Options(**options))
    made.setup()
    return made.measurement(), {name: np.asarray(one).tolist() for name, one in made.measure(BATCH).items()}


@pytest.mark.parametrize(("kind", "options"), FILTERS)
def test_no_threshold_changes_a_measurement(kind: type[Filter], options: dict[str, Any]) -> None:
    """Every declared threshold at another value: the same signals, so steps may share them."""
    reference = measured(kind, **options)
    for name in kind.thresholds:
        assert measured(kind, **options, **{name: 1})[1] == reference[1], name
        assert measured(kind, **options, **{name: 1})[0] == reference[0], name


@pytest.mark.parametrize(("name", "value"), [("min_word_length", 6), ("max_word_length", 4), ("min_stop_words", 9)])
def test_limits_that_a_measurement_uses_are_no_thresholds(name: str, value: int) -> None:
    """Gopher's neutral values for scripts without spaces lie inside these limits: they change what is measured."""
    before, after = measured(GopherQuality), measured(GopherQuality, **{name: value})
    assert before[1] != after[1]
    assert before[0] != after[0]


def test_length_measures_what_its_bounds_ask_for() -> None:
    """Two steps with the same bounds given share, whatever they are; one more bound is another measurement."""
    assert measured(Length, min_chars=5) == measured(Length, max_chars=500)
    assert measured(Length, min_chars=5)[0] != measured(Length, min_chars=5, max_words=9)[0]
