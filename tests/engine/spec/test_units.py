"""Sizes and durations as people write them, and as they are shown."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.spec.units import exact_size, format_size, parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("512 MB", 512_000_000),
        ("2 GiB", 2 << 30),
        ("64kib", 64 << 10),
        ("1.5 kB", 1_500),
        (" 7 B ", 7),
        ("7", 7),
        (0, 0),
        (4096, 4096),
        ("1 TB", 10**12),
        ("1 PiB", 1 << 50),
    ],
)
def test_a_size_is_bytes(text: Any, count: int) -> None:
    """Powers of 1000 and of 1024 told apart, case and blanks do not matter, a plain number is bytes."""
    assert (parse_size(text), type(parse_size(text))) == (count, int)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500 ms", 0.5), ("5 s", 5.0), ("2 min", 120.0), ("2 m", 120.0), ("1.5h", 5400.0), ("1 d", 86400.0), (3, 3.0)],
)
def test_a_duration_is_seconds(text: Any, seconds: float) -> None:
    """Milliseconds to days; a plain number is seconds."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("parse", [parse_size, parse_duration])
@pytest.mark.parametrize("value", ["", "MB", "5 parsecs", "-1 s", "1e3", "5 5", -1, True, None, [1], "٥ s x", "inf"])
def test_what_is_no_quantity_says_what_was_expected(parse: Any, value: object) -> None:
    """Unknown units, signs, truth values and other types are refused with an example of what is meant."""
    with pytest.raises(ValueError, match=r"expected a (size|duration) such as .*, not"):
        parse(value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "9" * 400])
@pytest.mark.parametrize("parse", [parse_size, parse_duration])
def test_a_number_that_is_none_is_refused(parse: Any, value: object) -> None:
    """`.nan` and `.inf` are numbers of YAML, but no quantities; nor is what no machine can count."""
    with pytest.raises(ValueError, match="expected a"):
        parse(value)


@given(st.integers(0, 10**6), st.sampled_from(["B", "kB", "KiB", "MB", "MiB", "GB", "GiB", "TB", "TiB"]))
def test_blanks_and_case_change_nothing(number: int, unit: str) -> None:
    """However it is spelt, it is the same size."""
    spelt = {parse_size(text.format(number, unit)) for text in ("{}{}", "{} {}", "  {}   {} ")}
    assert spelt == {parse_size(f"{number}{unit.lower()}")} == {parse_size(f"{number} {unit.upper()}")}


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1536, "1.5 kB"), (10**6, "1.0 MB"), (2.5e9, "2.5 GB"), (10**16, "10000.0 TB")],
)
def test_a_size_is_shown_short(count: float, text: str) -> None:
    """One decimal and the unit that keeps it below a thousand."""
    assert format_size(count) == text


@given(st.integers(0, 10**15))
def test_what_is_shown_is_near_what_is_meant(count: int) -> None:
    """A shown size, typed in again, is within its rounding."""
    assert abs(parse_size(format_size(count)) - count) <= 0.051 * max(count, 1)


@given(st.integers(0, 1 << 53))
def test_an_exact_size_is_read_back(count: int) -> None:
    """What is told of a default can be written into a spec and means the same."""
    assert parse_size(exact_size(count)) == count


@pytest.mark.parametrize(
    ("count", "text"), [(64 << 20, "64 MiB"), (512_000_000, "512 MB"), (2000, "2 kB"), (0, "0"), (1023, "1023")]
)
def test_an_exact_size_takes_the_largest_unit_that_loses_nothing(count: int, text: str) -> None:
    """Powers of 1024 before those of 1000."""
    assert exact_size(count) == text
