"""Eight bytes at a time: unaligned loads and stores, zero-byte finding, mixing, hashes of byte ranges.

Every load may read up to 7 bytes past the range it is asked about: buffers carry padding (`text.PADDING`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types, uint64
from numba.extending import intrinsic

from corpusmill_plugins.kernels.compiled import inlined

MIX_1 = np.uint64(0xFF51AFD7ED558CCD)
MIX_2 = np.uint64(0xC4CEB9FE1A85EC53)
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
LOW_BITS = np.uint64(0x0101010101010101)
HIGH_BITS = np.uint64(0x8080808080808080)


@intrinsic
def load64(typing_context: Any, array: Any, index: Any) -> Any:
    """Eight bytes of a uint8 array from `index` on, little end first; no bounds are checked."""
    signature = types.uint64(array, types.intp)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        pointer = builder.bitcast(builder.gep(data, [arguments[1]]), ir.IntType(64).as_pointer())
        loaded = builder.load(pointer)
        loaded.align = 1
        return loaded

    return signature, generate


@intrinsic
def store64(typing_context: Any, array: Any, index: Any, value: Any) -> Any:
    """Write eight bytes into a uint8 array from `index` on, little end first; no bounds are checked."""
    signature = types.void(array, types.intp, types.uint64)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        pointer = builder.bitcast(builder.gep(data, [arguments[1]]), ir.IntType(64).as_pointer())
        builder.store(arguments[2], pointer).align = 1
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def trailing_zeros(typing_context: Any, value: Any) -> Any:
    """Number of zero bits below the lowest set bit of a uint64; 64 for zero."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.uint64(types.uint64), generate


@inlined
def mix(value):  # type: ignore[no-untyped-def]
    """Spread every bit of a uint64 over all bits (a bijection)."""
    value ^= value >> uint64(32)
    value *= MIX_1
    value ^= value >> uint64(29)
    value *= MIX_2
    return value ^ (value >> uint64(32))


@inlined
def hash_range(data, start, stop):  # type: ignore[no-untyped-def]
    """Hash bytes [start, stop) of `data` to a uint64 that is never 0 (0 marks free slots of tables)."""
    value = GOLDEN ^ uint64(stop - start)
    at = start
    while at + 8 <= stop:
        value = (value ^ load64(data, at)) * MIX_1
        value ^= value >> uint64(32)
        at += 8
    if at < stop:
        rest = load64(data, at) & ((uint64(1) << uint64(8 * (stop - at))) - uint64(1))
        value = (value ^ rest) * MIX_1
        value ^= value >> uint64(32)
    value *= MIX_2
    value ^= value >> uint64(32)
    return value | uint64(1)


@inlined
def count_characters(data, start, stop):  # type: ignore[no-untyped-def]
    """Count code points in valid UTF-8: bytes that do not continue one."""
    part = data[start:stop]  # a slice, so that the loop needs no wrap-around check and vectorises
    count = 0
    for index in range(part.shape[0]):
        count += (part[index] & 0xC0) != 0x80
    return count
