"""Whether two results are the same, bit for bit or within the rounding of floating-point models."""

from __future__ import annotations

import hashlib
import math
import struct
from typing import Any

_RELATIVE, _ABSOLUTE = 1e-3, 1e-6
"""How far numbers of an inexact operator may lie apart when its batches are cut otherwise."""


def same(left: Any, right: Any, *, exact: bool = True) -> bool:
    """Compare results made of lists, tuples, mappings and values; NaN equals NaN."""
    if isinstance(left, float) and isinstance(right, float):
        return _same_number(left, right, exact)
    if isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        pairs = zip(left, right, strict=False)
        return len(left) == len(right) and all(same(one, other, exact=exact) for one, other in pairs)
    if isinstance(left, dict) and isinstance(right, dict):
        return list(left) == list(right) and all(same(left[name], right[name], exact=exact) for name in left)
    return type(left) is type(right) and bool(left == right)


def first_difference(left: list[Any], right: list[Any], *, exact: bool = True) -> int | None:
    """Return the first row in which two results differ, or None."""
    for row, (one, other) in enumerate(zip(left, right, strict=False)):
        if not same(one, other, exact=exact):
            return row
    return None if len(left) == len(right) else min(len(left), len(right))


def fingerprint(value: Any) -> str:
    """Return a hash of a result that is the same in every process."""
    state = hashlib.sha256()
    _feed(state, value)
    return state.hexdigest()[:32]


def _same_number(left: float, right: float, exact: bool) -> bool:
    if math.isnan(left) or math.isnan(right):
        return math.isnan(left) and math.isnan(right)
    if exact:
        return struct.pack("<d", left) == struct.pack("<d", right)
    return math.isclose(left, right, rel_tol=_RELATIVE, abs_tol=_ABSOLUTE)


def _feed(state: Any, value: Any) -> None:
    if isinstance(value, (list, tuple)):
        state.update(f"[{len(value)}".encode())
        for one in value:
            _feed(state, one)
    elif isinstance(value, dict):
        state.update(f"{{{len(value)}".encode())
        for name, one in value.items():
            _feed(state, [name, one])
    elif isinstance(value, float):
        state.update(b"f" + (b"nan" if math.isnan(value) else struct.pack("<d", value)))
    elif isinstance(value, bytes):
        state.update(f"b{len(value)}:".encode() + value)
    else:
        data = str(value).encode("utf-8", "surrogatepass")
        state.update(f"{type(value).__name__}{len(data)}:".encode() + data)
