"""How the space of 64-bit keys is cut into ranges, each the work of one task."""

from __future__ import annotations

KEY_SPACE = 2**64
TARGET_BYTES = 512_000_000


def key_ranges(total_key_bytes: int, target: int = TARGET_BYTES) -> list[tuple[int, int]]:
    """Return `(low, high)` pairs, `high` exclusive, that cut [0, 2**64) evenly and in order.

    Their number is the smallest power of two that keeps a range within `target` bytes of well-mixed keys: a growing
    corpus halves every range at once, at rare moments, and leaves them alone in between.
    """
    wanted = max(1, -(-total_key_bytes // max(1, target)))
    count = min(1 << (wanted - 1).bit_length(), 1 << 32)
    width = KEY_SPACE // count
    return [(index * width, (index + 1) * width) for index in range(count)]
