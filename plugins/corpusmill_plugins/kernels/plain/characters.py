"""What a character is: the predicates behind every flag of the tables, and how it folds for near-duplicates."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from functools import cache, lru_cache

ALPHA = 1
ALNUM = 2
LETTER = 4
DIGIT = 8
MARK = 16
SPACE = 32
SOLO = 64
PUNCTUATION = 128
JOINS_LETTERS = 256
JOINS_DIGITS = 512
NEWLINE = 1024
HAN = 2048
KANA = 4096
SYMBOL = 8192

_MARKS = (
    "!/\u2014\u201d:\uff05\uff11\u3008&(\u3001\u2501\\\u3010#%\u300c\u300d\uff0c\u3011\uff1b+^]~\u201c\u300a\u201e';\u2019{|"
    '\u2236\u00b4[=-`*\uff0e\uff08\u2013\uff1f\uff01\uff1a$\uff5e\u00ab\u3009,><\u300b)?\uff09\u3002\u2026@_."}\u25ba\u00bb'
)
"""datatrove's punctuation, as it stands there (the full-width digit one is in it)."""

_TERMINAL = (
    "21 2E 3F 589 61D-61F 6D4 700-702 7F9 837 839 83D-83E 964-965 104A-104B 1362 1367-1368 166E 1735-1736 "
    "17D4-17D6 17D9-17DA 1803 1809 1944-1945 1AA8-1AAB 1B5A-1B5B 1B5E-1B5F 1B7D-1B7E 1C3B-1C3C 1C7E-1C7F "
    "203C-203D 2047-2049 2E2E 2E3C 2E53-2E54 3002 A4FF A60E-A60F A6F3 A6F7 A876-A877 A8CE-A8CF A92F "
    "A9C8-A9C9 AA5D-AA5F AAF0-AAF1 ABEB FE52 FE56-FE57 FF01 FF0E FF1F FF61 10A56-10A57 10F55-10F59 "
    "10F86-10F89 11047-11048 110BE-110C1 11141-11143 111C5-111C6 111CD 111DE-111DF 11238-11239 "
    "1123B-1123C 112A9 1144B-1144C 115C2-115C3 115C9-115D7 11641-11642 1173C-1173E 11944 11946 "
    "11A42-11A43 11A9B-11A9C 11C41-11C42 11EF7-11EF8 11F43-11F44 16A6E-16A6F 16AF5 16B37-16B38 16B44 "
    "16E98 1BC9F 1DA88 "
)
"""datatrove's terminal marks, as ranges of code points."""

_SOLO_RANGES = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x3005, 0x3007),  # Han iteration mark, zero
    (0x3021, 0x3029),
    (0x3031, 0x3035),
    (0x3038, 0x303C),
    (0x3041, 0x312F),  # Hiragana, Katakana, Bopomofo
    (0x31A0, 0x31BF),
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0xFF66, 0xFF9D),  # half-width Katakana
    (0x1AFF0, 0x1B16F),
    (0x20000, 0x3FFFF),
)
_HAN_RANGES = ((0x3005, 0x3007), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF))
_KANA_RANGES = ((0x3041, 0x30FF), (0x31F0, 0x31FF), (0xFF66, 0xFF9D), (0x1AFF0, 0x1B16F))
_NEWLINES = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"


@lru_cache(1 << 14)
def _within(point: int, ranges: tuple[tuple[int, int], ...]) -> bool:
    return any(first <= point <= last for first, last in ranges)


@cache
def punctuation() -> frozenset[str]:
    """The characters datatrove counts as punctuation: its list, all controls but newline, its terminal marks."""
    controls = {*range(9), *range(11, 32), *range(127, 160)}
    terminal = set()
    for item in _TERMINAL.split():
        first, _, last = item.partition("-")
        terminal |= set(range(int(first, 16), int(last or first, 16) + 1))
    return frozenset(_MARKS) | {chr(point) for point in controls | terminal}


@lru_cache(1 << 14)
def is_solo(character: str) -> bool:
    """True for letters and letter-like numbers of scripts written without spaces: each is a word of its own."""
    if not _within(ord(character), _SOLO_RANGES):
        return False
    category = unicodedata.category(character)
    return category[0] == "L" or category in ("Nl", "No")


@lru_cache(1 << 14)
def is_letter(character: str) -> bool:
    """True for letters and for numbers that are not decimal digits, except solo ones."""
    category = unicodedata.category(character)
    return (category[0] == "L" or category in ("Nl", "No")) and not is_solo(character)


@lru_cache(1 << 14)
def is_digit(character: str) -> bool:
    """True for decimal digits of any script."""
    return unicodedata.category(character) == "Nd"


@lru_cache(1 << 14)
def is_mark(character: str) -> bool:
    """True for combining marks and format characters: they belong to the word before them."""
    category = unicodedata.category(character)
    return category[0] == "M" or category == "Cf"


FLAGS: dict[str, tuple[int, Callable[[str], bool]]] = {
    "alpha": (ALPHA, str.isalpha),
    "alnum": (ALNUM, str.isalnum),
    "letter": (LETTER, is_letter),
    "digit": (DIGIT, is_digit),
    "mark": (MARK, is_mark),
    "space": (SPACE, str.isspace),
    "solo": (SOLO, is_solo),
    "punctuation": (PUNCTUATION, lambda character: character in punctuation()),
    "joins letters": (JOINS_LETTERS, lambda character: character in "'\u2019._"),
    "joins digits": (JOINS_DIGITS, lambda character: character in "'\u2019.,_"),
    "newline": (NEWLINE, lambda character: character in _NEWLINES),
    "han": (HAN, lambda character: _within(ord(character), _HAN_RANGES) and is_solo(character)),
    "kana": (KANA, lambda character: _within(ord(character), _KANA_RANGES) and is_solo(character)),
    "symbol": (SYMBOL, lambda character: character in "#\u2026"),
}
"""Name -> (bit, what it means)."""


def fold_character(character: str) -> list[str]:
    """Fold one character for near-duplicate search: what it becomes, "" standing for a separator.

    Case and compatibility forms fold (NFKD, casefold, twice, until nothing changes), marks and format characters
    vanish, every decimal digit is "0", letters and numbers stay, all else separates. Hangul syllables stay composed:
    Korean words have spaces, and taking them apart would triple them.
    """
    if 0xAC00 <= ord(character) <= 0xD7A3:
        return [character]
    folded = character
    for _ in range(2):
        folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", folded).casefold())
    items: list[str] = []
    for one in folded:
        if is_digit(one):
            items.append("0")
        elif is_letter(one) or is_solo(one) or unicodedata.category(one) == "Mc":
            items.append(one)
        elif not is_mark(one):
            items.append("")
    return items
