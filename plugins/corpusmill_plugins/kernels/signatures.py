"""MinHash signatures of documents, and the keys of their bands.

*Layout.* `signatures` uint32 (rows, permutations): the least hash of a document's shingles under each permutation
`(x ^ mask) * multiplier mod 2^32`, multiplier odd; all ones for a document without a word. `keys` uint64 (rows,
bands): a mixed hash of the band's minima and its number.

The inner loop runs over permutations with eight shingles in registers, every product cast back to 32 bits (numba would
widen to 64), so it vectorises. The 32-bit family was measured against the theory of MinHash: its squared error is
J(1-J)/K within the noise of the measurement, and a test holds it there. Definition: `plain.minhash`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import uint32, uint64

from corpusmill_plugins.kernels.bits import GOLDEN, mix
from corpusmill_plugins.kernels.codepoints import tables
from corpusmill_plugins.kernels.compiled import kernel
from corpusmill_plugins.kernels.fold import ROOM, fold
from corpusmill_plugins.kernels.shingles import hash_shingles, hash_words
from corpusmill_plugins.kernels.text import TextBuffer


class Permutations(NamedTuple):
    """uint32 (permutations,) each."""

    multipliers: npt.NDArray[np.uint32]
    masks: npt.NDArray[np.uint32]


def permutations(count: int, seed: int) -> Permutations:
    """Draw permutations by splitmix64 from a seed: the same on every machine and NumPy; fewer are a prefix of more."""
    index = np.arange(1, 2 * count + 1, dtype=np.uint64)
    with np.errstate(over="ignore"):
        value = np.uint64(seed) + index * np.uint64(0x9E3779B97F4A7C15)
        value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    drawn = ((value ^ (value >> np.uint64(31))) >> np.uint64(32)).astype(np.uint32)
    return Permutations(drawn[0::2] | np.uint32(1), drawn[1::2].copy())


def signatures(
    texts: TextBuffer, ngram: int, drawn: Permutations
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
    """Return the signatures uint32 (rows, permutations) and the number of folded words int64 (rows,)."""
    table = tables()
    out = np.empty((len(texts), len(drawn.masks)), np.uint32)
    words = np.zeros(len(texts), np.int64)
    sign(
        texts.data,
        texts.starts,
        texts.ends,
        ngram,
        drawn.multipliers,
        drawn.masks,
        table.fold_index,
        table.fold_pages,
        table.expansions,
        out,
        words,
    )
    return out, words


def band_keys(minima: npt.NDArray[np.uint32], bands: int, rows: int) -> npt.NDArray[np.uint64]:
    """Return uint64 (documents, bands): the key of each band of `rows` minima."""
    keys = np.empty((len(minima), bands), np.uint64)
    hash_bands(minima, rows, keys)
    return keys


@kernel
def minima(hashes, multipliers, masks, out):  # type: ignore[no-untyped-def]
    """Write the least permuted hash under each permutation into `out`; all ones without hashes."""
    count = out.shape[0]
    for k in range(count):
        out[k] = uint32(0xFFFFFFFF)
    whole = hashes.shape[0] - hashes.shape[0] % 8
    for j in range(0, whole, 8):
        x0, x1, x2, x3 = hashes[j], hashes[j + 1], hashes[j + 2], hashes[j + 3]
        x4, x5, x6, x7 = hashes[j + 4], hashes[j + 5], hashes[j + 6], hashes[j + 7]
        for k in range(count):
            a = multipliers[k]
            b = masks[k]
            h0 = min(uint32(uint32(x0 ^ b) * a), uint32(uint32(x1 ^ b) * a))
            h1 = min(uint32(uint32(x2 ^ b) * a), uint32(uint32(x3 ^ b) * a))
            h2 = min(uint32(uint32(x4 ^ b) * a), uint32(uint32(x5 ^ b) * a))
            h3 = min(uint32(uint32(x6 ^ b) * a), uint32(uint32(x7 ^ b) * a))
            h0, h2 = min(h0, h1), min(h2, h3)
            out[k] = min(out[k], h0, h2)
    for j in range(whole, hashes.shape[0]):
        x = hashes[j]
        for k in range(count):
            out[k] = min(out[k], uint32(uint32(x ^ masks[k]) * multipliers[k]))


@kernel
def sign(data, starts, ends, ngram, multipliers, masks, index, pages, expansions, out, counts):  # type: ignore[no-untyped-def]
    """Sign every row. Scratch grows with the longest row; a row that folds to more than it had room for gets twice."""
    longest = 0
    for row in range(starts.shape[0]):
        longest = max(longest, ends[row] - starts[row])
    folded = np.empty(2 * longest + 2 * ROOM, np.uint8)
    words = np.empty(longest + 8, np.uint64)
    hashes = np.empty(longest + 8, np.uint32)
    for row in range(starts.shape[0]):
        size = fold(data, starts[row], ends[row], folded, index, pages, expansions)
        while size < 0:
            folded = np.empty(2 * folded.shape[0], np.uint8)
            size = fold(data, starts[row], ends[row], folded, index, pages, expansions)
        if size // 2 + 1 > words.shape[0]:
            words = np.empty(size // 2 + 1, np.uint64)
            hashes = np.empty(size // 2 + 1, np.uint32)
        counts[row] = hash_words(folded, size, words)
        made = hash_shingles(words, counts[row], ngram, hashes)
        minima(hashes[:made], multipliers, masks, out[row])


@kernel
def hash_bands(signed, rows, keys):  # type: ignore[no-untyped-def]
    """Hash the minima of each band into its key."""
    for row in range(signed.shape[0]):
        for band in range(keys.shape[1]):
            value = mix(uint64(band + 1))
            for k in range(band * rows, (band + 1) * rows):
                value = mix(value ^ (uint64(signed[row, k]) * GOLDEN))
            keys[row, band] = value
