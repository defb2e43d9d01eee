"""The order of samples: a pure function of (seed, epoch, position), with no stored permutation."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

ROUNDS = 6


def derive(seed: int, *salt: object) -> int:
    """Return 63 well-mixed bits from a seed and what they are for."""
    text = repr((seed, *salt)).encode()
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "little") >> 1


def sample_at(positions: npt.NDArray[np.int64], samples: int, seed: int) -> npt.NDArray[np.int64]:
    """Return which sample stands at each position of an endless sequence of shuffled epochs.

    `positions`: int64 (n,), counted from the start of training; epoch = position // samples. Within each epoch every
    sample in [0, samples) occurs once. Where training stands is therefore one integer, whatever the batch size.
    """
    import numpy as np

    epochs, places = np.divmod(np.asarray(positions, np.int64), samples)
    result = np.empty(len(places), np.int64)
    for epoch in np.unique(epochs):
        here = epochs == epoch
        result[here] = permute(places[here], samples, derive(seed, "epoch", int(epoch)))
    return result


def permute(indices: npt.NDArray[np.int64], size: int, key: int) -> npt.NDArray[np.int64]:
    """Return a permutation of [0, size) applied to `indices`, int64 of the same shape.

    A balanced Feistel network over the smallest 4**k >= size, walked until the value lies below `size` (Black and
    Rogaway 2002, format-preserving encryption); fewer than four walks are expected.
    """
    import numpy as np

    half = np.uint64(max(1, ((size - 1).bit_length() + 1) // 2))
    keys = [np.uint64(derive(key, "round", number)) for number in range(ROUNDS)]
    values = np.asarray(indices).astype(np.uint64)
    outside = np.ones(values.shape, bool)
    while outside.any():
        values[outside] = _encrypt(values[outside], half, keys)
        outside = values >= np.uint64(size)
    return values.astype(np.int64)


def _encrypt(values: npt.NDArray[np.uint64], half: np.uint64, keys: list[np.uint64]) -> npt.NDArray[np.uint64]:
    import numpy as np

    mask = (np.uint64(1) << half) - np.uint64(1)
    left, right = values >> half, values & mask
    for key in keys:
        left, right = right, left ^ (_mix(right ^ key) & mask)
    return (left << half) | right


def _mix(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """SplitMix64's finaliser (Steele et al. 2014)."""
    import numpy as np

    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
