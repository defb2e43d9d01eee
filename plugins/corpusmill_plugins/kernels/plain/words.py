"""The two word rules, as plain Python.

`whitespace`: `str.split()`.

`unicode`: after Unicode's word segmentation (UAX 29), made smaller and told exactly. Reading from the left:

1. White space (`str.isspace`) separates words and is part of none.
2. A letter, number or mark begins a run of letters, numbers and marks. Inside a run, one of `'` `’` `.` `_` stays
   between two letters (don't, example.com, a_b), one of `'` `’` `.` `,` `_` between two decimal digits (3.14, 1,000);
   a hyphen never does.
3. A letter of a script written without spaces (Han, Kana, Bopomofo, Thai, Lao, Khmer, Myanmar) is a word of its own,
   with the marks that follow it.
4. Any other character (punctuation, symbol, control) is a word of its own, with its immediate repetitions (`...`,
   `-----`) and then the marks that follow.

So every character that is not white space is in exactly one word, under both rules. "Letters" are categories L*, Nl and
No that are not of rule 3; "marks" are M* and Cf.
"""

from __future__ import annotations

from corpusmill_plugins.kernels.plain.characters import is_digit, is_letter, is_mark, is_solo


def split(text: str, rule: str) -> list[str]:
    """Split by the rule `unicode` or `whitespace`."""
    return text.split() if rule == "whitespace" else unicode_words(text)


def unicode_words(text: str) -> list[str]:
    """Split by the rule `unicode`."""
    words = []
    at = 0
    while at < len(text):
        character = text[at]
        if character.isspace():
            at += 1
            continue
        stop = at + 1
        if is_letter(character) or is_digit(character) or is_mark(character):
            stop = _run_end(text, at)
        else:
            while not is_solo(character) and stop < len(text) and text[stop] == character:
                stop += 1
            while stop < len(text) and is_mark(text[stop]):
                stop += 1
        words.append(text[at:stop])
        at = stop
    return words


def _run_end(text: str, at: int) -> int:
    last = text[at]
    stop = at + 1
    while stop < len(text):
        character, after = text[stop], text[stop + 1 : stop + 2]
        if is_letter(character) or is_digit(character):
            last = character
        elif not is_mark(character) and not _joins(last, character, after):
            break
        stop += 1
    return stop


def _joins(before: str, character: str, after: str) -> bool:
    if not after:
        return False
    if character in "'\u2019._" and is_letter(before) and is_letter(after):
        return True
    return character in "'\u2019.,_" and is_digit(before) and is_digit(after)
