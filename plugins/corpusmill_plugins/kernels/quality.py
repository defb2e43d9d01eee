"""What Gopher's quality rules need to know of a document, counted in one pass over its words and one over its lines.

*Layout.* `counts` int64 (rows, columns), columns named in `COLUMNS`. Words: how many (`words`), how many are not only
punctuation (`solid`) with their characters, how many begin alphanumeric, hold a letter, hold `#` or the ellipsis
character; `double_median` is twice the median length, so that it is whole. Stop words: how many different ones, and
occurrences. Marks: non-overlapping `...` and `. . .`, the ellipsis character, `#`. Lines as the dialect cuts them.

`profile`: SPACED, CHINESE or SPACELESS (see `plain.quality`). Documents of the last two are always cut by the rule
`unicode`, for white space finds no words in them. Stop words are sought by hash in a small table a profile
(`stop_table`), in ASCII lower case if `lower`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import int64, uint8

from corpusmill_plugins.kernels.bits import count_characters, hash_range
from corpusmill_plugins.kernels.codepoints import tables
from corpusmill_plugins.kernels.compiled import kernel
from corpusmill_plugins.kernels.ngrams import DATATROVE, DCLM, DIALECTS, DOLMA
from corpusmill_plugins.kernels.plain.characters import ALPHA, HAN, KANA, NEWLINE, SOLO, SPACE
from corpusmill_plugins.kernels.segments import find_place
from corpusmill_plugins.kernels.text import TextBuffer
from corpusmill_plugins.kernels.words import (
    ALNUM_FIRST,
    HAS_ALPHA,
    HAS_SYMBOL,
    RULE_UNICODE,
    RULES,
    SOLID,
    flag_bytes,
    split_words,
)

COLUMNS = (
    "characters",
    "profile",
    "words",
    "solid",
    "solid_characters",
    "alnum_first",
    "alphabetic",
    "symbolic",
    "word_characters",
    "double_median",
    "stop_kinds",
    "stop_words",
    "hashes",
    "dots",
    "spaced_dots",
    "ellipses",
    "lines",
    "bullets",
    "ellipsis_lines",
)
DETECT, SPACED, CHINESE, SPACELESS = -1, 0, 1, 2
PROFILES = {"spaced": SPACED, "chinese": CHINESE, "spaceless": SPACELESS}


@dataclass(frozen=True)
class StopWords:
    """A table of stop words: `keys` uint64 (a power of two,), 0 where free; `longest` in bytes."""

    keys: npt.NDArray[np.uint64]
    longest: int

    @classmethod
    def of(cls, words: Iterable[str]) -> StopWords:
        """Put words into a table."""
        buffer = TextBuffer.of_texts(sorted(set(words)))
        keys = np.zeros(max(16, 1 << (4 * len(buffer)).bit_length()), np.uint64)
        fill_table(buffer.data, buffer.starts, buffer.ends, keys)
        return cls(keys, buffer.longest())


def quality_counts(
    texts: TextBuffer,
    dialect: str,
    rule: str,
    profiles: npt.NDArray[np.int8],
    stop_words: StopWords,
    chinese_stop_words: StopWords,
) -> dict[str, npt.NDArray[np.int64]]:
    """Return column -> int64 (rows,). `profiles` int8 (rows,): a profile, or DETECT to tell it from the text."""
    table = tables()
    counts = np.zeros((len(texts), len(COLUMNS)), np.int64)
    count_rows(
        texts.data,
        texts.starts,
        texts.ends,
        texts.longest(),
        profiles,
        DIALECTS[dialect],
        RULES[rule],
        stop_words.keys,
        stop_words.longest,
        chinese_stop_words.keys,
        chinese_stop_words.longest,
        table.ascii_flags,
        table.flag_index,
        table.flag_pages,
        counts,
    )
    return {name: counts[:, place] for place, name in enumerate(COLUMNS)}


@kernel
def fill_table(data, starts, ends, keys):  # type: ignore[no-untyped-def]
    """Put the hash of every row into a table."""
    for row in range(starts.shape[0]):
        key = hash_range(data, starts[row], ends[row])
        keys[find_place(keys, keys.shape[0] - 1, key)] = key


@kernel
def detect_profile(flags):  # type: ignore[no-untyped-def]
    """Tell how a text is written from the flags of its characters: SPACED, CHINESE or SPACELESS."""
    letters = solo = han = kana = 0
    for place in range(flags.shape[0]):
        flag = flags[place]
        letters += (flag & ALPHA) != 0
        solo += (flag & SOLO) != 0
        han += (flag & HAN) != 0
        kana += (flag & KANA) != 0
    if solo == 0 or 10 * solo < 3 * letters:
        return SPACED
    return CHINESE if 2 * han >= solo and 10 * kana < solo else SPACELESS


@kernel
def find_stop_word(data, start, stop, keys, lower, scratch):  # type: ignore[no-untyped-def]
    """The place of a word in a table of stop words, or -1."""
    if lower:
        for at in range(start, stop):
            byte = data[at]
            scratch[at - start] = byte | uint8(32) if uint8(byte - uint8(65)) < uint8(26) else byte
        key = hash_range(scratch, 0, stop - start)
    else:
        key = hash_range(data, start, stop)
    place = find_place(keys, keys.shape[0] - 1, key)
    return place if keys[place] == key else -1


@kernel
def count_stop_words(data, start, count, begins, ends, keys, longest, lower, scratch, seen, row):  # type: ignore[no-untyped-def]
    """Different stop words into row[0], their occurrences into row[1]."""
    seen[:] = 0
    row[0] = row[1] = 0
    for word in range(count):
        if ends[word] - begins[word] <= longest:
            place = find_stop_word(data, start + begins[word], start + ends[word], keys, lower, scratch)
            if place >= 0:
                row[1] += 1
                row[0] += seen[place] == 0
                seen[place] = 1


@kernel
def count_words(count, lengths, traits, row):  # type: ignore[no-untyped-def]
    """Fill row[0:8]: words, solid, solid_characters, alnum_first, alphabetic, symbolic, word_characters, median."""
    solid = solid_characters = alnum = alphabetic = symbolic = characters = int64(0)
    for word in range(count):
        trait = traits[word]
        is_solid = int64(trait & SOLID)
        solid += is_solid
        solid_characters += is_solid * lengths[word]
        alnum += (trait & ALNUM_FIRST) != 0
        alphabetic += (trait & HAS_ALPHA) != 0
        symbolic += (trait & HAS_SYMBOL) != 0
        characters += lengths[word]
    row[0], row[1], row[2], row[3] = count, solid, solid_characters, alnum
    row[4], row[5], row[6], row[7] = alphabetic, symbolic, characters, 0


@kernel
def double_median(lengths):  # type: ignore[no-untyped-def]
    """Twice the median, 0 of nothing."""
    count = lengths.shape[0]
    if count == 0:
        return 0
    ordered = np.sort(lengths)
    return int64(ordered[(count - 1) // 2]) + int64(ordered[count // 2])


@kernel
def count_marks(text, row):  # type: ignore[no-untyped-def]
    """Fill row[0:4] from a slice of bytes: `#`, `...`, `. . .`, the ellipsis character; none overlap themselves."""
    hashes = dots = spaced = ellipses = 0
    run = 0
    free = 0
    size = text.shape[0]
    for at in range(size):
        byte = text[at]
        hashes += byte == 35
        if byte == 46:
            run += 1
            if run == 3:
                dots += 1
                run = 0
            near = at >= free and at + 4 < size and text[at + 1] == 32 and text[at + 2] == 46
            if near and text[at + 3] == 32 and text[at + 4] == 46:
                spaced += 1
                free = at + 5
        else:
            run = 0
            if byte == 0xE2 and at + 2 < size and text[at + 1] == 0x80 and text[at + 2] == 0xA6:
                ellipses += 1
    row[0], row[1], row[2], row[3] = hashes, dots, spaced, ellipses


@kernel
def is_bullet(text, left, right, dialect):  # type: ignore[no-untyped-def]
    """True if a line begins with one of the dialect's bullets."""
    byte = text[left]
    if byte == 45 or (byte == 42 and dialect != DATATROVE):
        return True
    if byte != 0xE2 or dialect == DOLMA or right - left < 3:
        return False
    round_one = text[left + 1] == 0x80 and text[left + 2] == 0xA2
    return round_one or (dialect == DCLM and text[left + 1] == 0x97 and text[left + 2] == 0x8F)


@kernel
def ends_in_ellipsis(text, left, right, dialect):  # type: ignore[no-untyped-def]
    """True if a line ends in one of the dialect's ellipses."""
    if right - left < 3:
        return False
    if text[right - 3] == 0xE2 and text[right - 2] == 0x80 and text[right - 1] == 0xA6:
        return True
    if dialect == DOLMA or text[right - 1] != 46:
        return False
    if text[right - 2] == 46 and text[right - 3] == 46:
        return True
    spaced = right - left >= 5 and text[right - 2] == 32 and text[right - 3] == 46
    return dialect == DCLM and spaced and text[right - 4] == 32 and text[right - 5] == 46


@kernel
def count_lines(text, flags, dialect, row):  # type: ignore[no-untyped-def]
    """Fill row[0:3]: lines, bullets, ellipsis lines. `flags` has one entry more than `text`."""
    lines = bullets = ended = 0
    size = text.shape[0]
    begin = 0
    while begin < size or (dialect != DATATROVE and begin == size):
        at = begin
        if dialect == DATATROVE:
            while at < size and (flags[at] & NEWLINE) == 0:
                at += 1
        else:
            while at < size and text[at] != 10:
                at += 1
        left, right = begin, at
        if dialect != DOLMA:
            while left < right and flags[left] & SPACE:
                left += 1
            while right > left and flags[right - 1] & SPACE:
                right -= 1
        if left < right:
            bullets += is_bullet(text, left, right, dialect)
            ended += ends_in_ellipsis(text, left, right, dialect)
        lines += left < right or dialect != DCLM
        begin = at + 1
        if dialect == DATATROVE and at < size:
            begin += at + 1 < size and text[at] == 13 and text[at + 1] == 10
            while flags[begin] >= 32768 and begin < size:
                begin += 1
    row[0], row[1], row[2] = lines, bullets, ended


@kernel
def count_rows(  # type: ignore[no-untyped-def]
    data,
    starts,
    ends,
    longest,
    profiles,
    dialect,
    rule,
    stops,
    stop_bytes,
    zh_stops,
    zh_bytes,
    ascii_flags,
    index,
    pages,
    out,
):
    """Count every row. Scratch is sized for the longest; only what a row touches costs memory."""
    flags = np.empty(longest + 1, np.uint16)
    begins, stops_at = np.empty(longest + 1, np.int64), np.empty(longest + 1, np.int64)
    lengths, traits = np.empty(longest + 1, np.int32), np.empty(longest + 1, np.uint8)
    scratch = np.zeros(max(stop_bytes, zh_bytes) + 16, np.uint8)
    seen, zh_seen = np.zeros(stops.shape[0], np.uint8), np.zeros(zh_stops.shape[0], np.uint8)
    lower = dialect == DCLM
    for at in range(starts.shape[0]):
        start, stop, row = starts[at], ends[at], out[at]
        size = stop - start
        text = data[start:stop]
        flag_bytes(data, start, stop, ascii_flags, index, pages, flags)
        profile = int64(profiles[at])
        if profile == DETECT:
            profile = detect_profile(flags[:size])
        row[0], row[1] = count_characters(data, start, stop), profile
        used = rule if profile == SPACED else RULE_UNICODE
        count = split_words(data, start, size, used, flags, begins, stops_at, lengths, traits)
        count_words(count, lengths, traits, row[2:10])
        if dialect == DOLMA:
            row[9] = double_median(lengths[:count])
        if profile == CHINESE:
            at_most, table, known = zh_bytes, zh_stops, zh_seen
        else:
            at_most, table, known = stop_bytes, stops, seen
        count_stop_words(data, start, count, begins, stops_at, table, at_most, lower, scratch, known, row[10:12])
        count_marks(text, row[12:16])
        count_lines(text, flags, dialect, row[16:19])
