"""Folded words: what near-duplicate search compares, as plain Python."""

from __future__ import annotations

import re
from functools import lru_cache

from corpusmill_plugins.kernels.plain.characters import fold_character, is_solo


def folded_words(text: str) -> list[str]:
    """Return the folded words of a text.

    Each character folds on its own (`fold_character`); what is left between separators is a word, each letter of a
    script without spaces is one, and a run of digits inside a word becomes one "0" (as datatrove does, so that dates,
    prices and counters do not keep copies apart). A decimal mark still cuts: "3.14" is "0", "0".
    """
    folded = "".join(map(_folded, text))
    return [re.sub("0+", "0", word) for word in folded.split(" ") if word]


@lru_cache(1 << 14)
def _folded(character: str) -> str:
    """What a character becomes, with spaces where it separates."""
    items = fold_character(character)
    return "".join(f" {item} " if item and is_solo(item) else item or " " for item in items)
