"""Sizes and durations as people write them: `512 MB`, `2 GiB`, `5 s`; plain numbers are bytes and seconds."""

from __future__ import annotations

import math
import re

_SIZES = {"": 1, "b": 1}
for _power, _letter in enumerate("kmgtp", start=1):
    _SIZES[f"{_letter}b"] = 1000**_power
    _SIZES[f"{_letter}ib"] = 1024**_power
_DURATIONS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_QUANTITY = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*")


def parse_size(value: object) -> int:
    """Return bytes for `512 MB`, `2 GiB` or a plain number; raises ValueError with what was expected."""
    return int(_quantity(value, _SIZES, "a size such as 64 MB, 2 GiB or a number of bytes"))


def parse_duration(value: object) -> float:
    """Return seconds for `500 ms`, `5 s`, `2 h` or a plain number; raises ValueError with what was expected."""
    return _quantity(value, _DURATIONS, "a duration such as 500 ms, 5 s, 2 h or a number of seconds")


def format_size(count: float) -> str:
    """Return bytes as people read them: 1536 -> '1.5 kB'."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if abs(count) < 1000 or unit == "TB":
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError("unreachable")


def exact_size(count: int) -> str:
    """Return bytes as a spec would say them, in the largest unit that loses nothing: 67108864 -> '64 MiB'."""
    for power in range(4, 0, -1):
        for base, letters in ((1024, "iB"), (1000, "B")):
            if count and count % base**power == 0:
                return f"{count // base**power} {'kMGT'[power - 1] if base == 1000 else 'KMGT'[power - 1]}{letters}"
    return str(count)


def _quantity(value: object, units: dict[str, float] | dict[str, int], expected: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError(f"expected {expected}, not {value!r}")
    if isinstance(value, (int, float)):
        if not 0 <= value < math.inf:  # NaN is on no side
            raise ValueError(f"expected {expected}, not {value!r}")
        return value
    match = _QUANTITY.fullmatch(value)
    if match is None or match[2].lower() not in units:
        raise ValueError(f"expected {expected}, not {value!r}")
    quantity = float(match[1]) * units[match[2].lower()]
    if quantity == math.inf:
        raise ValueError(f"expected {expected}, not {value!r}")
    return quantity
