"""Repeated n-grams of words in a document: the characters of the most frequent, and of all that occur again.

*Layout.* Input: a document's words as `words.split_words` leaves them. `hashes` uint64: one a word. `prefix` uint64:
`prefix[i]` is a polynomial over the first i mixed hashes mod 2^64, so the key of any n-gram is one subtraction and one
multiplication. `reach` int64: characters of the first i words. `keys`, `counts`, `firsts`: an open-addressing table
(see `segments`). `places`, `slots` int32: the candidates of a level and their places in the table.

*Candidates.* An n-gram can only occur twice if the (n-1)-gram it begins with does. So 2-grams are counted for every
word, and each longer n only where the level before saw a repeat: almost nowhere in a good document.

datatrove compares longer n-grams *without* boundaries between words, so that step does not hold for it. There the
words are set in one `stream` of bytes; an n-gram can only occur twice if it is shorter than 12 bytes or the 12 bytes
at its beginning occur twice. What is left is hashed and walked greedily from the left.
"""

from __future__ import annotations

from numba import int64, uint32, uint64

from corpusmill_plugins.kernels.bits import GOLDEN, MIX_1, MIX_2, hash_range, load64, store64
from corpusmill_plugins.kernels.compiled import kernel
from corpusmill_plugins.kernels.segments import find_place, table_size

DATATROVE = 0
DOLMA = 1
DCLM = 2
DIALECTS = {"datatrove": DATATROVE, "dolma": DOLMA, "dclm": DCLM}

HEAD = 12
"""Bytes compared before an n-gram of datatrove's is hashed."""


@kernel
def prepare(data, start, count, begins, ends, lengths, prefix, reach):  # type: ignore[no-untyped-def]
    """Fill `prefix` and `reach` from the words of a document."""
    prefix[0] = uint64(0)
    reach[0] = 0
    for word in range(count):
        prefix[word + 1] = prefix[word] * GOLDEN + hash_range(data, start + begins[word], start + ends[word])
        reach[word + 1] = reach[word] + lengths[word]


@kernel
def power(n):  # type: ignore[no-untyped-def]
    """GOLDEN to the n-th, mod 2^64."""
    value = uint64(1)
    for _ in range(n):
        value *= GOLDEN
    return value


@kernel
def count_level(n, count, candidates, places, prefix, keys, counts, slots):  # type: ignore[no-untyped-def]
    """Count the n-grams at the candidate words; returns how many candidates are left that have room for n words."""
    mask = table_size(candidates) - 1
    keys[: mask + 1] = 0
    factor = power(n)
    kept = 0
    for candidate in range(candidates):
        word = places[candidate]
        if word + n > count:
            break
        key = (prefix[word + n] - prefix[word] * factor) | uint64(1)
        place = find_place(keys, mask, key)
        if keys[place] == 0:
            keys[place] = key
            counts[place] = 0
        counts[place] += 1
        slots[candidate] = place
        kept += 1
    return kept


@kernel
def top_characters(n, kept, dialect, places, reach, counts, slots):  # type: ignore[no-untyped-def]
    """Characters of the most frequent n-gram, all its occurrences together; on ties the first, or DCLM's longest."""
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
        return 0 if dialect == DCLM else reach[n] + (n - 1 if dialect == DATATROVE else 0)
    return best * (characters + (n - 1 if dialect == DATATROVE else 0))


@kernel
def keep_repeated(kept, places, counts, slots):  # type: ignore[no-untyped-def]
    """Reduce the candidates to those whose n-gram occurs twice; returns how many."""
    left = 0
    for candidate in range(kept):
        if counts[slots[candidate]] > 1:
            places[left] = places[candidate]
            left += 1
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
def write_stream(data, start, count, begins, ends, stream, offsets):  # type: ignore[no-untyped-def]
    """Set the words one after the other in `stream`; `offsets` int64 (words + 1,). 16 zero bytes follow."""
    at = 0
    for word in range(count):
        offsets[word] = at
        size = ends[word] - begins[word]
        for step in range(0, size, 8):
            store64(stream, at + step, load64(data, start + begins[word] + step))
        at += size
    offsets[count] = at
    for place in range(16):
        stream[at + place] = 0


@kernel
def mark_heads(count, stream, offsets, keys, counts, slots):  # type: ignore[no-untyped-def]
    """Count the 12 bytes at which each word begins; `slots` tells where."""
    mask = table_size(count) - 1
    keys[: mask + 1] = 0
    for word in range(count):
        low = load64(stream, offsets[word])
        high = load64(stream, offsets[word] + 4)
        key = (((low ^ GOLDEN) * MIX_1) ^ (high * MIX_2)) | uint64(1)
        key ^= (key >> uint64(32)) & ~uint64(1)
        place = find_place(keys, mask, key)
        if keys[place] == 0:
            keys[place] = key
            counts[place] = 0
        counts[place] += 1
        slots[word] = place


@kernel
def repeated_characters(n, candidates, places, count, stream, offsets, reach, keys):  # type: ignore[no-untyped-def]
    """Walk from the left: an n-gram seen before adds its characters and is jumped over (datatrove)."""
    mask = table_size(candidates) - 1
    keys[: mask + 1] = 0
    characters = 0
    free = 0
    for candidate in range(candidates):
        word = int64(places[candidate])
        if word < free or word + n > count:
            continue
        key = hash_range(stream, offsets[word], offsets[word + n])
        place = find_place(keys, mask, key)
        if keys[place] == key:
            characters += reach[word + n] - reach[word]
            free = word + n
        else:
            keys[place] = key
    return characters


@kernel
def stream_candidates(n, count, offsets, counts, slots, places):  # type: ignore[no-untyped-def]
    """Words whose n-gram may occur twice by its first 12 bytes; returns how many."""
    left = 0
    for word in range(count - n + 1):
        if counts[slots[word]] > 1 or offsets[word + n] - offsets[word] < HEAD:
            places[left] = word
            left += 1
    return left


@kernel
def count_stream(data, start, count, begins, ends, stream, offsets, reach, keys, counts, slots, places, row):  # type: ignore[no-untyped-def]
    """datatrove's characters in repeated 5- to 10-grams, into row[0:6]."""
    write_stream(data, start, count, begins, ends, stream, offsets)
    mark_heads(count, stream, offsets, keys, counts, slots)
    for n in range(5, 11):
        candidates = stream_candidates(n, count, offsets, counts, slots, places)
        # `keys` is free again: the counts of the heads stay in `counts`, found through `slots`.
        row[n - 5] = repeated_characters(n, candidates, places, count, stream, offsets, reach, keys)


@kernel
def count_ngrams(dialect, count, prefix, reach, keys, counts, slots, places, row):  # type: ignore[no-untyped-def]
    """Characters of the top 2- to 4-grams into row[0:3], and (but for datatrove) of repeated ones into row[3:9]."""
    for word in range(count):
        places[word] = uint32(word)
    candidates = count
    for n in range(2, 5 if dialect == DATATROVE else 11):
        if count < n:
            break
        kept = count_level(n, count, candidates, places, prefix, keys, counts, slots)
        if n < 5:
            row[n - 2] = top_characters(n, kept, dialect, places, reach, counts, slots)
        candidates = keep_repeated(kept, places, counts, slots)
        if n >= 5 and dialect == DCLM:
            row[n - 2] = covered_characters(n, candidates, places, reach)
        elif n >= 5:
            row[n - 2] = summed_characters(n, candidates, places, reach)
