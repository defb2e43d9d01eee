"""Gopher's repetition measures of documents, as counts, for three dialects.

*Layout.* `counts` int64 (rows, columns), columns named in `COLUMNS`. `para_*` and `line_*` are what `segments` counts;
`top_n` and `repeated_n` are characters (`ngrams`). `characters` is the length of the text, `word_characters` of its
words, `words` their number. For Dolma `all_n` are the characters of all n-grams, overlaps counted again. Dialects
differ in segments, words and n-grams: the rules are in `plain.repetition`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpusmill_plugins.kernels.bits import count_characters
from corpusmill_plugins.kernels.codepoints import tables
from corpusmill_plugins.kernels.compiled import kernel
from corpusmill_plugins.kernels.ngrams import (
    DATATROVE,
    DCLM,
    DIALECTS,
    DOLMA,
    count_ngrams,
    count_stream,
    powers,
    prepare,
    sketch_bits,
)
from corpusmill_plugins.kernels.plain.characters import SPACE
from corpusmill_plugins.kernels.quality import SPACED, detect_profile
from corpusmill_plugins.kernels.segments import count_segments, table_size
from corpusmill_plugins.kernels.text import TextBuffer
from corpusmill_plugins.kernels.words import ALNUM_FIRST, RULE_UNICODE, RULES, flag_bytes, split_words

_SEGMENT = ("segments", "characters", "repeats", "repeat_characters", "members", "member_characters")
COLUMNS = (
    "characters",
    "words",
    "word_characters",
    *(f"para_{name}" for name in _SEGMENT),
    *(f"line_{name}" for name in _SEGMENT),
    *(f"top_{n}" for n in (2, 3, 4)),
    *(f"repeated_{n}" for n in range(5, 11)),
    *(f"all_{n}" for n in range(5, 11)),
)


SPACELESS_STRETCH = 2
"""Characters that an n-gram's word stands for in a script written without spaces (`plain.repetition`)."""


def repetition_counts(
    texts: TextBuffer, dialect: str, rule: str, *, adapt: bool = False
) -> dict[str, npt.NDArray[np.int64]]:
    """Return column -> int64 (rows,) for a dialect (datatrove, dolma, dclm) and a word rule (unicode, whitespace).

    `adapt`: documents in a script without spaces are cut by the rule `unicode`, their n-grams are twice as long.
    """
    table = tables()
    counts = np.zeros((len(texts), len(COLUMNS)), np.int64)
    longest = texts.longest()
    count_rows(
        texts.data,
        texts.starts,
        texts.ends,
        longest,
        DIALECTS[dialect],
        RULES[rule],
        adapt,
        table.ascii_flags,
        table.flag_index,
        table.flag_pages,
        counts,
    )
    return {name: counts[:, place] for place, name in enumerate(COLUMNS)}


@kernel
def keep_alnum(count, begins, ends, lengths, traits):  # type: ignore[no-untyped-def]
    """Drop the words that do not begin with a letter or digit (DCLM); returns how many stay."""
    kept = 0
    for word in range(count):
        if traits[word] & ALNUM_FIRST:
            begins[kept], ends[kept], lengths[kept] = begins[word], ends[word], lengths[word]
            kept += 1
    return kept


@kernel
def sum_windows(stretch, count, reach, row):  # type: ignore[no-untyped-def]
    """Characters of all 5- to 10-grams, overlaps counted again (Dolma's denominator)."""
    for n in range(5, 11):
        total = 0
        words = n * stretch
        for word in range(count - words + 1):
            total += reach[word + words] - reach[word]
        row[n - 5] = total


@kernel
def count_all_segments(data, start, size, dialect, flags, keys, counts, row):  # type: ignore[no-untyped-def]
    """Paragraphs into row[0:6], lines into row[6:12], as the dialect cuts them."""
    trim = dialect == DCLM
    greedy = dialect == DATATROVE
    if dialect != DOLMA:
        first, last = 0, size
        while greedy and first < last and flags[first] & SPACE:
            first += 1
        while greedy and last > first and flags[last - 1] & SPACE:
            last -= 1
        count_segments(data, start, first, last, 2, greedy, trim, flags, keys, counts, row[0:6])
    count_segments(data, start, 0, size, 1, greedy, trim, flags, keys, counts, row[6:12])


@kernel
def count_rows(data, starts, ends, longest, dialect, rule, adapt, ascii_flags, index, pages, out):  # type: ignore[no-untyped-def]
    """Count every row. Scratch is sized for the longest; only what a row touches costs memory."""
    flags = np.empty(longest + 1, np.uint16)
    begins, stops = np.empty(longest + 1, np.int64), np.empty(longest + 1, np.int64)
    lengths, traits = np.empty(longest + 1, np.int32), np.empty(longest + 1, np.uint8)
    prefix, reach = np.empty(longest + 2, np.uint64), np.empty(longest + 2, np.int64)
    room = table_size(longest + 2)
    keys, counts = np.empty(room, np.uint64), np.empty(room, np.int32)
    slots, places = np.empty(longest + 1, np.uint32), np.empty(longest + 1, np.uint32)
    stream, offsets = np.empty(longest + 64, np.uint8), np.empty(longest + 2, np.int64)
    marks, factors = np.empty(longest + 1, np.uint64), powers()
    sketch = np.empty(1 << sketch_bits(longest), np.uint8)
    for at in range(starts.shape[0]):
        start, size, row = starts[at], ends[at] - starts[at], out[at]
        row[0] = count_characters(data, start, ends[at])
        flag_bytes(data, start, ends[at], ascii_flags, index, pages, flags)
        count_all_segments(data, start, size, dialect, flags, keys, counts, row[3:15])
        spaceless = adapt and detect_profile(flags[:size]) != SPACED
        stretch = SPACELESS_STRETCH if spaceless else 1
        cut = RULE_UNICODE if spaceless else rule
        count = split_words(data, start, size, cut, flags, begins, stops, lengths, traits)
        if dialect == DCLM:
            count = keep_alnum(count, begins, stops, lengths, traits)
        prepare(data, start, count, begins, stops, lengths, prefix, reach, stream, offsets)
        row[1], row[2] = count, reach[count]
        count_ngrams(dialect, stretch, count, prefix, reach, keys, counts, sketch, slots, places, row[15:24])
        if dialect == DATATROVE:
            later = row[18:24]
            count_stream(stretch, count, stream, offsets, marks, factors, reach, keys, sketch, slots, places, later)
        elif dialect == DOLMA:
            sum_windows(stretch, count, reach, row[24:30])
