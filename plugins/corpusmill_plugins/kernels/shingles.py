"""Hashes of folded words and of runs of them.

*Layout.* Input: folded bytes, words between zeros, 16 zeros at the end (`fold`). `words` uint64: one hash a word, in
order. `out` uint32: one hash a shingle (run of n words), in order, repeated shingles included: minima do not mind.

A word of at most 8 bytes is one load, a zero-byte finder, a mask and a multiplication. A shingle is a polynomial over
its word hashes mod 2^64, rolled along the document, then mixed and cut to 32 bits. Definition: `plain.minhash`.
"""

from __future__ import annotations

from numba import int64, uint32, uint64

from corpusmill_plugins.kernels.bits import GOLDEN, HIGH_BITS, LOW_BITS, MIX_1, load64, mix, trailing_zeros
from corpusmill_plugins.kernels.compiled import kernel


@kernel
def low_bytes(count):  # type: ignore[no-untyped-def]
    """A mask of the lowest `count` bytes, 0 to 7."""
    return (uint64(1) << (uint64(8) * count)) - uint64(1)


@kernel
def hash_words(folded, size, words):  # type: ignore[no-untyped-def]
    """Hash every word of folded text; returns how many there are."""
    count = 0
    at = 0
    while at < size:
        block = load64(folded, at)
        zero = (block - LOW_BITS) & ~block & HIGH_BITS
        value = GOLDEN
        begun = zero == 0
        while zero == 0:
            value = (value ^ block) * MIX_1
            value ^= value >> uint64(32)
            at += 8
            block = load64(folded, at)
            zero = (block - LOW_BITS) & ~block & HIGH_BITS
        length = trailing_zeros(zero) >> uint64(3)
        value = (value ^ (block & low_bytes(length))) * MIX_1
        words[count] = (value ^ (value >> uint64(32))) * MIX_1
        count += begun or length != 0
        at += int64(length) + 1
    return count


@kernel
def hash_shingles(words, count, ngram, out):  # type: ignore[no-untyped-def]
    """Hash every run of `ngram` words; fewer words make one shingle, none make none. Returns how many."""
    if count == 0:
        return 0
    leaving = uint64(1)
    for _ in range(ngram):
        leaving *= GOLDEN
    first = min(ngram, count)
    value = uint64(0)
    for index in range(first):
        value = value * GOLDEN + words[index]
    out[0] = uint32(mix(value))
    entering = words[first:count]
    gone = words[: count - first]
    later = out[1 : count - first + 1]
    for index in range(entering.shape[0]):
        value = value * GOLDEN + entering[index] - leaving * gone[index]
        later[index] = uint32(mix(value))
    return count - first + 1
