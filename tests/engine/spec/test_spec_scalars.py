"""Plain scalars mean what YAML 1.2 says, and survive a round trip through text."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.spec.composer import compose
from corpusmill.spec.nodes import plain
from corpusmill.spec.problems import Problems
from corpusmill.spec.scalars import plain_value

PRINTABLE = st.text(st.characters(exclude_categories=("Cs", "Cc", "Cn"), exclude_characters="\ufeff\u2028\u2029\x85"))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2e-5", 2e-5),
        ("1e3", 1000.0),
        ("1.5", 1.5),
        (".5", 0.5),
        ("-7", -7),
        ("0o17", 15),
        ("0x1F", 31),
        ("017", 17),
        ("1_000", "1_000"),
        ("no", "no"),
        ("on", "on"),
        ("yes", "yes"),
        ("12:30:00", "12:30:00"),
        ("2024-01-01", "2024-01-01"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("-.inf", -math.inf),
        ("9" * 401, "9" * 401),
        ("٣", "٣"),
    ],
)
def test_plain_scalars_follow_the_core_schema(text: str, value: object) -> None:
    """Numbers are numbers, and words that YAML 1.1 took for booleans or times are text."""
    found = plain_value(text)
    assert found == value
    assert type(found) is type(value)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | PRINTABLE,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(PRINTABLE, inner, max_size=3),
        max_leaves=8,
    )
)
def test_values_survive_the_trip_through_text(value: object) -> None:
    """What JSON writes (a subset of YAML) is read back with the same values and types."""
    text = json.dumps(value, ensure_ascii=False).replace("Infinity", ".inf")
    problems = Problems()
    read = plain(compose(f"value: {text}", problems))
    if "Infinity" in json.dumps(value) and not isinstance(value, float):
        return  # the replacement above touched a text
    assert problems.found == []
    assert read == {"value": value}
    assert repr(read) == repr({"value": value})


@given(st.integers(0, 5), st.lists(st.sampled_from(["a: 1", "b: [1, 2]", "c: {d: e}"]), unique=True, min_size=1))
def test_places_are_those_of_the_text(blank: int, lines: list[str]) -> None:
    """Line and column of each key point at the key."""
    text = "\n" * blank + "\n".join(lines)
    node = compose(text, Problems())
    for name, mark in node.keys.items():  # type: ignore[union-attr]
        assert text.split("\n")[mark.line - 1][mark.column - 1 :].startswith(name)
