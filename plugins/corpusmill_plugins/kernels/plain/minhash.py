"""MinHash signatures and band keys, as plain Python over 64-bit integers."""

from __future__ import annotations

from collections.abc import Sequence

from corpusmill_plugins.kernels.plain.folding import folded_words

MASK = (1 << 64) - 1
MIX_1 = 0xFF51AFD7ED558CCD
MIX_2 = 0xC4CEB9FE1A85EC53
GOLDEN = 0x9E3779B97F4A7C15


def mix(value: int) -> int:
    """Spread every bit over all bits."""
    value ^= value >> 32
    value = value * MIX_1 & MASK
    value ^= value >> 29
    value = value * MIX_2 & MASK
    return value ^ value >> 32


def word_hash(word: str) -> int:
    """Hash one folded word, 8 bytes at a time."""
    data = word.encode()
    value = GOLDEN
    for start in range(0, len(data) - len(data) % 8, 8):
        value = (value ^ int.from_bytes(data[start : start + 8], "little")) * MIX_1 & MASK
        value ^= value >> 32
    value = (value ^ int.from_bytes(data[len(data) - len(data) % 8 :], "little")) * MIX_1 & MASK
    return (value ^ value >> 32) * MIX_1 & MASK


def shingles(text: str, ngram: int) -> list[int]:
    """Hash every run of `ngram` folded words to 32 bits; a shorter text is one shingle, an empty one none."""
    hashes = [word_hash(word) for word in folded_words(text)]
    length = min(ngram, len(hashes))
    result = []
    for start in range(len(hashes) - length + 1 if hashes else 0):
        value = 0
        for one in hashes[start : start + length]:
            value = (value * GOLDEN + one) & MASK
        result.append(mix(value) & 0xFFFFFFFF)
    return result


def signature(text: str, ngram: int, multipliers: Sequence[int], masks: Sequence[int]) -> list[int]:
    """Return the minima of `(x ^ mask) * multiplier mod 2^32` over the shingles; all ones if none."""
    hashes = shingles(text, ngram)
    return [
        min(((one ^ int(mask)) * int(factor) & 0xFFFFFFFF for one in hashes), default=0xFFFFFFFF)
        for factor, mask in zip(multipliers, masks, strict=True)
    ]


def band_keys(minima: Sequence[int], bands: int, rows: int) -> list[int]:
    """Hash each band of `rows` minima, with its number, to 64 bits."""
    keys = []
    for band in range(bands):
        value = mix(band + 1)
        for minimum in minima[band * rows : (band + 1) * rows]:
            value = mix(value ^ minimum * GOLDEN & MASK)
        keys.append(value)
    return keys
