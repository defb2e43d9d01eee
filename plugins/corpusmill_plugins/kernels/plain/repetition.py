"""Gopher's repetition rules as three public pipelines apply them, in plain Python over given words.

Each function returns signal -> value; `LIMITS` says what is too much, in the order the pipeline asks. Sources:
datatrove
0.10.1 `GopherRepetitionFilter`, Dolma 1.2.1 tagger `gopher_v1` with the limits of its v1.6 mixer, DCLM
`massive_web_repetition_filters` (2025-09).
"""

from __future__ import annotations

import re
from collections import Counter

_NGRAMS = {"top_2": 0.20, "top_3": 0.18, "top_4": 0.16} | {
    f"repeated_{n}": limit for n, limit in zip(range(5, 11), (0.15, 0.14, 0.13, 0.12, 0.11, 0.10), strict=True)
}
LIMITS: dict[str, dict[str, float]] = {
    "datatrove": {
        "paragraphs": 0.3,
        "paragraph_characters": 0.2,
        "lines": 0.3,
        "line_characters": 0.2,
        **_NGRAMS,
    },
    "dolma": {"lines": 0.3, "line_characters": 0.3, **_NGRAMS},
    "dclm": {"lines": 0.3, "paragraphs": 0.3, "line_characters": 0.2, "paragraph_characters": 0.2, **_NGRAMS},
}


def measure(text: str, words: list[str], dialect: str, stretch: int = 1) -> dict[str, float]:
    """Return the dialect's signals; `segments` counts what is there at all (0 drops the document but in Dolma).

    An n-gram is `n * stretch` words; where that is not 1 words have no spaces between them, so datatrove counts none.
    """
    return {"datatrove": datatrove, "dolma": dolma, "dclm": dclm}[dialect](text, words, stretch)


def ngrams(words: list[str], n: int) -> list[tuple[str, ...]]:
    """All runs of n words."""
    return [tuple(words[start : start + n]) for start in range(len(words) - n + 1)]


def datatrove(text: str, words: list[str], stretch: int = 1) -> dict[str, float]:
    """Repeats are occurrences after the first; n-grams are measured against the whole text."""
    total = max(len(text), 1)
    signals: dict[str, float] = {"segments": len(text)}
    for name, parts in (("paragraph", re.split(r"\n{2,}", text.strip())), ("line", re.split("\n+", text))):
        seen: set[str] = set()
        repeats = [part for part in parts if part in seen or seen.add(part)]  # type: ignore[func-returns-value]
        signals[f"{name}s"] = len(repeats) / len(parts)
        signals[f"{name}_characters"] = sum(map(len, repeats)) / total
    for n in (2, 3, 4):
        counts = Counter((" " if stretch == 1 else "").join(gram) for gram in ngrams(words, n * stretch))
        top, times = counts.most_common(1)[0] if counts else ("", 0)
        signals[f"top_{n}"] = len(top) * times / total
    for n in range(5, 11):
        met, characters, at = set(), 0, 0
        while at < len(words) - n * stretch + 1:
            gram = "".join(words[at : at + n * stretch])
            if gram in met:
                characters += len(gram)
                at += n * stretch
            else:
                met.add(gram)
                at += 1
        signals[f"repeated_{n}"] = characters / total
    return signals


def dolma(text: str, words: list[str], stretch: int = 1) -> dict[str, float]:
    """All occurrences of repeated lines and n-grams, overlaps counted again; against the characters of words."""
    total = max(sum(map(len, words)), 1)
    lines = Counter(text.split("\n")) if text else Counter[str]()
    signals: dict[str, float] = {"segments": len(text)}
    signals["lines"] = sum(times for times in lines.values() if times > 1) / max(lines.total(), 1)
    signals["line_characters"] = sum(len(line) * times for line, times in lines.items() if times > 1) / total
    for n in range(2, 11):
        counts = Counter(ngrams(words, n * stretch))
        if n < 5:
            top, times = counts.most_common(1)[0] if counts else ((), 0)
            signals[f"top_{n}"] = times * sum(map(len, top)) / total
            continue
        whole = sum(times * sum(map(len, gram)) for gram, times in counts.items())
        again = sum(times * sum(map(len, gram)) for gram, times in counts.items() if times > 1)
        signals[f"repeated_{n}"] = again / max(whole, 1)
    return signals


def dclm(text: str, words: list[str], stretch: int = 1) -> dict[str, float]:
    """All occurrences of repeated segments; words that begin alphanumeric; each word counts once."""
    signals: dict[str, float] = {}
    for name, mark in (("line", "\n"), ("paragraph", "\n\n")):
        parts = [part.strip() for part in text.split(mark) if part.strip()]
        counts = Counter(parts)
        signals["segments"] = len(parts)
        signals[f"{name}s"] = sum(times for times in counts.values() if times > 1) / max(len(parts), 1)
        characters = sum(len(part) * times for part, times in counts.items() if times > 1)
        signals[f"{name}_characters"] = characters / max(sum(map(len, parts)), 1)
    words = [word for word in words if word[0].isalnum()]
    total = max(sum(map(len, words)), 1)
    for n in range(2, 11):
        grams = ngrams(words, n * stretch)
        tally = Counter(grams)
        most = max(tally.values(), default=0)
        if n < 5:
            longest = max((sum(map(len, gram)) for gram, times in tally.items() if times == most), default=0)
            signals[f"top_{n}"] = most * longest / total if most > 1 else 0.0
            continue
        inside = {at + step for at, gram in enumerate(grams) if tally[gram] > 1 for step in range(n * stretch)}
        signals[f"repeated_{n}"] = sum(len(words[at]) for at in inside) / total
    return signals
