"""Repeated n-grams of words in a document: the characters of the most frequent, and of all that occur again.

*Layout.* Input: a document's words as `words.split_words` leaves them. `prefix` uint64: `prefix[i]` is a polynomial
over the hashes of the first i words mod 2^64, so the key of any n-gram is one subtraction and one multiplication.
`reach` int64: characters of the first i words. `keys`, `counts`: an open-addressing table (see `segments`), sized for
the entries of each level. `places`, `slots` uint32: the candidates of a level and their places in the table.

*Candidates.* An n-gram can only occur twice if the (n-1)-gram it begins with does. So 2-grams are counted for every
word, and each longer n only where the level before saw a repeat: almost nowhere in a good document.

datatrove compares longer n-grams *without* boundaries between words, so that step does not hold for it. There the
words are set in one `stream` of bytes; an n-gram of at least 12 bytes can only occur twice if the 12 bytes it begins
with do, and of at least 24 if the first 24 do. Such heads are counted in a `sketch` uint8 without keys: what shares a
slot by chance is one candidate too many, never one too few. What is left is hashed and walked greedily from the left.
"""

from __future__ import annotations

import numpy as np
from numba import int64, uint8, uint32, uint64

from corpusmill_plugins.kernels.bits import GOLDEN, MIX_1, MIX_2, hash_range, load64, store64
from corpusmill_plugins.kernels.compiled import kernel
from corpusmill_plugins.kernels.segments import find_place, table_size

DATATROVE = 0
DOLMA = 1
DCLM = 2
DIALECTS = {"datatrove": DATATROVE, "dolma": DOLMA, "dclm": DCLM}

HEAD = 12
WIDE_HEAD = 24
"""Bytes compared before an n-gram of datatrove's is hashed."""
SLOTS = 4
"""Slots of the sketch a word, at least."""


@kernel
def prepare(data, start, count, begins, ends, lengths, prefix, reach, stream, offsets):  # type: ignore[no-untyped-def]
    """Fill `prefix` and `reach` from the words of a document, and set them one after the other in `stream`.

    `offsets` int64 (words + 1,): where each begins in the stream. 32 zero bytes follow the last.
    """
    prefix[0] = uint64(0)
    reach[0] = 0
    to = 0
    for word in range(count):
        size = ends[word] - begins[word]
        at = start + begins[word]
        offsets[word] = to
        value = GOLDEN ^ uint64(size)
        left = size
        while left > 8:
            block = load64(data, at)
            store64(stream, to + size - left, block)
            value = (value ^ block) * MIX_1
            value ^= value >> uint64(32)
            at += 8
            left -= 8
        block = load64(data, at) & (~uint64(0) >> uint64(64 - 8 * left))
        store64(stream, to + size - left, block)
        value = (value ^ block) * MIX_1
        value = (value ^ (value >> uint64(32))) * MIX_2
        prefix[word + 1] = prefix[word] * GOLDEN + (value ^ (value >> uint64(32)))
        reach[word + 1] = reach[word] + lengths[word]
        to += size
    offsets[count] = to
    for place in range(32):
        stream[to + place] = 0


@kernel
def power(n):  # type: ignore[no-untyped-def]
    """GOLDEN to the n-th, mod 2^64."""
    value = uint64(1)
    for _ in range(n):
        value *= GOLDEN
    return value


@kernel
def sketch_bits(entries):  # type: ignore[no-untyped-def]
    """The sketch holds 2 to this many slots."""
    bits = 6
    while (1 << bits) < SLOTS * entries:
        bits += 1
    return bits


@kernel
def sift(n, count, candidates, places, prefix, sketch, slots):  # type: ignore[no-untyped-def]
    """Drop candidates without room for n words and most of those whose n-gram occurs once; returns how many stay."""
    bits = sketch_bits(candidates)
    seen = sketch[: 1 << bits]
    seen[:] = 0
    shift = uint64(64 - bits)
    factor = power(n)
    roomy = 0
    for candidate in range(candidates):
        word = places[candidate]
        if word + n > count:
            break
        slot = ((prefix[word + n] - prefix[word] * factor) * MIX_1) >> shift
        slots[candidate] = slot
        seen[slot] = min(seen[slot] + uint8(1), uint8(2))
        roomy += 1
    left = 0
    for candidate in range(roomy):
        places[left] = places[candidate]
        left += seen[slots[candidate]] > 1
    return left


@kernel
def count_level(n, candidates, places, prefix, keys, counts, slots):  # type: ignore[no-untyped-def]
    """Count the n-grams at the candidate words exactly."""
    mask = table_size(candidates) - 1
    keys[: mask + 1] = 0
    factor = power(n)
    for candidate in range(candidates):
        word = places[candidate]
        key = (prefix[word + n] - prefix[word] * factor) | uint64(1)
        place = find_place(keys, mask, key)
        if keys[place] == 0:
            keys[place] = key
            counts[place] = 0
        counts[place] += 1
        slots[candidate] = place


@kernel
def top_characters(n, kept, dialect, gaps, places, reach, counts, slots):  # type: ignore[no-untyped-def]
    """Characters of the most frequent n-gram, all its occurrences together; on ties the first, or DCLM's longest.

    `gaps`: characters between its words, which datatrove counts.
    """
    best = 1
    characters = 0
    for candidate in range(kept):
        times = counts[slots[candidate]]
        if times < 2 or times < best:
            continue
        length = reach[places[candidate] + n] - reach[places[candidate]]
        if times > best or (dialect == DCLM and length > characters):
            best = times
            characters = length
    if best == 1:
        return 0 if dialect == DCLM else reach[n] + gaps
    return best * (characters + gaps)


@kernel
def keep_repeated(kept, places, counts, slots):  # type: ignore[no-untyped-def]
    """Reduce the candidates to those whose n-gram occurs twice; returns how many."""
    left = 0
    for candidate in range(kept):
        places[left] = places[candidate]
        left += counts[slots[candidate]] > 1
    return left


@kernel
def covered_characters(n, left, places, reach):  # type: ignore[no-untyped-def]
    """Characters of the words inside any repeated n-gram, each once (DCLM)."""
    characters = 0
    covered = 0
    for candidate in range(left):
        word = int64(places[candidate])
        characters += reach[word + n] - reach[max(word, covered)]
        covered = word + n
    return characters


@kernel
def summed_characters(n, left, places, reach):  # type: ignore[no-untyped-def]
    """Characters of all occurrences of repeated n-grams, overlaps counted again (Dolma)."""
    characters = 0
    for candidate in range(left):
        characters += reach[places[candidate] + n] - reach[places[candidate]]
    return characters


@kernel
def powers():  # type: ignore[no-untyped-def]
    """GOLDEN to the 0th to 1023rd, uint64."""
    out = np.empty(1024, np.uint64)
    out[0] = 1
    for place in range(1, 1024):
        out[place] = out[place - 1] * GOLDEN
    return out


@kernel
def mark_stream(size, stream, marks):  # type: ignore[no-untyped-def]
    """Fill `marks` uint64 (size + 1,): a polynomial over the bytes before each, so that any range is hashed at once."""
    value = uint64(0)
    marks[0] = value
    text, later = stream[:size], marks[1 : size + 1]
    for at in range(size):
        value = value * GOLDEN + uint64(text[at] + uint64(1))
        later[at] = value


@kernel
def repeated_heads(n, count, stream, offsets, sketch, slots, places):  # type: ignore[no-untyped-def]
    """Write to `places` the words whose n-gram may occur twice by its head, or is shorter; returns how many."""
    bits = sketch_bits(count)
    seen = sketch[: 1 << bits]
    seen[:] = 0
    shift = uint64(64 - bits)
    for word in range(count):
        low, high = load64(stream, offsets[word]), load64(stream, offsets[word] + HEAD - 8)
        key = ((low ^ GOLDEN) * MIX_1) ^ (high * MIX_2)
        slot = ((key ^ (key >> uint64(32))) * GOLDEN) >> shift
        slots[word] = slot
        seen[slot] = min(seen[slot] + uint8(1), uint8(2))
    left = 0
    for word in range(count - n + 1):
        places[left] = word
        left += (seen[slots[word]] > 1) | (offsets[word + n] - offsets[word] < HEAD)
    return left


@kernel
def mark_wide(candidates, places, stream, offsets, sketch, slots):  # type: ignore[no-untyped-def]
    """Set `slots` of each candidate to 1 if its first 24 bytes may occur twice, else to 0."""
    bits = sketch_bits(candidates)
    seen = sketch[: 1 << bits]
    seen[:] = 0
    shift = uint64(64 - bits)
    for candidate in range(candidates):
        at = offsets[places[candidate]]
        key = ((load64(stream, at) ^ GOLDEN) * MIX_1) ^ (load64(stream, at + 8) * MIX_2)
        key = (key ^ (key >> uint64(32)) ^ load64(stream, at + 16)) * MIX_1
        slot = ((key ^ (key >> uint64(32))) * GOLDEN) >> shift
        slots[candidate] = slot
        seen[slot] = min(seen[slot] + uint8(1), uint8(2))
    for candidate in range(candidates):
        slots[candidate] = seen[slots[candidate]] > 1


@kernel
def keep_wide(n, candidates, places, wide, count, offsets):  # type: ignore[no-untyped-def]
    """Drop candidates without room for n words, or whose n-gram is long and its wide head occurs once."""
    left = 0
    for candidate in range(candidates):
        word = int64(places[candidate])
        if word + n > count:
            break
        places[left] = word
        wide[left] = wide[candidate]
        left += (wide[candidate] != 0) | (offsets[word + n] - offsets[word] < WIDE_HEAD)
    return left


@kernel
def repeated_characters(n, candidates, places, stream, offsets, marks, factors, reach, keys):  # type: ignore[no-untyped-def]
    """Walk from the left: an n-gram seen before adds its characters and is jumped over (datatrove).

    Long n-grams are hashed byte by byte: the polynomial mod 2^64 has known collisions from 1,024 bytes on.
    """
    mask = table_size(candidates) - 1
    keys[: mask + 1] = 0
    characters = 0
    free = 0
    for candidate in range(candidates):
        word = int64(places[candidate])
        if word < free:
            continue
        begin, end = offsets[word], offsets[word + n]
        if end - begin < factors.shape[0]:
            # Mixed, because texts whose last bytes differ by one bit would else be told apart by the bit that is set.
            key = ((marks[end] - marks[begin] * factors[end - begin]) * MIX_1) | uint64(1)
        else:
            key = hash_range(stream, begin, end)
        place = find_place(keys, mask, key)
        if keys[place] == key:
            characters += reach[word + n] - reach[word]
            free = word + n
        else:
            keys[place] = key
    return characters


@kernel
def count_stream(stretch, count, stream, offsets, marks, factors, reach, keys, sketch, slots, places, row):  # type: ignore[no-untyped-def]
    """datatrove's characters in repeated 5- to 10-grams, each `stretch` times as many words, into row[0:6]."""
    candidates = repeated_heads(5 * stretch, count, stream, offsets, sketch, slots, places)
    mark_wide(candidates, places, stream, offsets, sketch, slots)
    if candidates:
        mark_stream(offsets[count], stream, marks)
    for n in range(5, 11):
        words = n * stretch
        candidates = keep_wide(words, candidates, places, slots, count, offsets)
        row[n - 5] = repeated_characters(words, candidates, places, stream, offsets, marks, factors, reach, keys)


@kernel
def count_ngrams(dialect, stretch, count, prefix, reach, keys, counts, sketch, slots, places, row):  # type: ignore[no-untyped-def]
    """Characters of the top 2- to 4-grams into row[0:3], and (but for datatrove) of repeated ones into row[3:9].

    An n-gram is `n * stretch` words.
    """
    for word in range(count):
        places[word] = uint32(word)
    candidates = count
    for n in range(2, 5 if dialect == DATATROVE else 11):
        words = n * stretch
        if count < words:
            break
        candidates = sift(words, count, candidates, places, prefix, sketch, slots)
        count_level(words, candidates, places, prefix, keys, counts, slots)
        if n < 5:
            gaps = words - 1 if dialect == DATATROVE and stretch == 1 else 0
            row[n - 2] = top_characters(words, candidates, dialect, gaps, places, reach, counts, slots)
        candidates = keep_repeated(candidates, places, counts, slots)
        if n >= 5 and dialect == DCLM:
            row[n - 2] = covered_characters(words, candidates, places, reach)
        elif n >= 5:
            row[n - 2] = summed_characters(words, candidates, places, reach)
