"""From an input that shows a fault to the smallest one that still does."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

Texts = list[str | None]
_SECONDS = 20.0
_TRIES = 400
_SHORT = 40
"""Characters of a text that is worth polishing."""


class _Budget:
    """Bounds how long is spent on making an input smaller: it is a courtesy, not the finding."""

    def __init__(self, fails: Callable[[Texts], bool]):
        self._fails, self._left = fails, _TRIES
        self._end = time.monotonic() + _SECONDS

    def shows(self, texts: Texts) -> bool:
        """True if these texts still show the fault."""
        if self._left <= 0 or time.monotonic() > self._end:
            return False
        self._left -= 1
        return self._fails(texts)


def smallest(texts: Sequence[str | None], fails: Callable[[Texts], bool], *, fewest: int = 1) -> Texts:
    """Return the fewest and shortest texts for which `fails` is still true.

    Rows go first, in ever smaller runs (delta debugging, Zeller and Hildebrandt 2002), then pieces of each text, then
    its characters become plain ones. `fails` must not raise.
    """
    budget = _Budget(fails)
    found = _fewer(list(texts), budget, fewest)
    for index, text in enumerate(found):
        if text:
            found[index] = _shorter(text, lambda one, at=index: budget.shows(_with(found, at, one)))  # type: ignore[misc]
    return found


def _with(texts: Texts, index: int, text: str) -> Texts:
    return [*texts[:index], text, *texts[index + 1 :]]


def _fewer(texts: Texts, budget: _Budget, fewest: int) -> Texts:
    size = len(texts)
    while size >= 1:
        start, smaller = 0, False
        while start < len(texts):
            left = texts[:start] + texts[start + size :]
            if len(left) >= fewest and budget.shows(left):
                texts, smaller = left, True
            else:
                start += size
        if not smaller:
            size //= 2
    return texts


def _shorter(text: str, fails: Callable[[str], bool]) -> str:
    size = max(1, len(text) // 2)
    while size >= 1:
        start = 0
        while start < len(text):
            left = text[:start] + text[start + size :]
            if fails(left):
                text = left
            else:
                start += size
        size //= 2
    return _plainer(_thinner(text, fails), fails) if len(text) <= _SHORT else text


def _thinner(text: str, fails: Callable[[str], bool]) -> str:
    """Try every run of a short text: lengths that halving jumps over."""
    for size in range(len(text) - 1, 1, -1):
        for start in range(len(text) - size + 1):
            left = text[:start] + text[start + size :]
            if fails(left):
                return _thinner(left, fails)
    return text


def _plainer(text: str, fails: Callable[[str], bool]) -> str:
    for index, character in enumerate(text):
        if character != "a":
            plain = f"{text[:index]}a{text[index + 1 :]}"
            text = plain if fails(plain) else text
    return text
