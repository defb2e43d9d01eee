"""Gopher's quality rules as three public pipelines apply them, in plain Python, and what stands in for them in Chinese.

Sources: datatrove 0.10.1 `GopherQualityFilter`, Dolma 1.2.1 tagger `gopher_v1` with the limits of its v1.6 mixer,
DCLM's
`refinedweb` filters (2025-09). The rules were written for English. How a document is written decides what of them can
apply (`profile`):

- `spaced`: all rules, as published, with the English stop words.
- `chinese`: each character is a word, so the mean word length says nothing and is not judged; stop words are function
  characters (`CHINESE_STOP_WORDS`).
- `spaceless` (Japanese, Thai, ...): neither word length nor stop words are judged.

A document is spaceless if 3 in 10 of its letters are of scripts written without spaces (a Chinese letter says about as
much as three Latin ones); it is Chinese if at least half of those are Han and less than a tenth are Kana.
"""

from __future__ import annotations

from statistics import median

from corpusmill_plugins.kernels.plain.characters import FLAGS, punctuation
from corpusmill_plugins.kernels.plain.words import split

ENGLISH_STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")
CHINESE_STOP_WORDS = tuple("的了是在和不有这這为為以也与與及对對就而之其我你他")
NOT_JUDGED = None


def profile_of(text: str) -> str:
    """Tell how a text is written: spaced, chinese or spaceless."""
    kinds = {name: sum(map(FLAGS[name][1], text)) for name in ("alpha", "solo", "han", "kana")}
    if not kinds["solo"] or 10 * kinds["solo"] < 3 * kinds["alpha"]:
        return "spaced"
    return "chinese" if 2 * kinds["han"] >= kinds["solo"] and 10 * kinds["kana"] < kinds["solo"] else "spaceless"


def measure(text: str, dialect: str, rule: str, profile: str, stop_words: tuple[str, ...]) -> dict[str, float | None]:
    """Return the dialect's signals; a signal that is None is not judged."""
    rule = rule if profile == "spaced" else "unicode"
    signals = {"datatrove": datatrove, "dolma": dolma, "dclm": dclm}[dialect](text, rule, stop_words)
    if profile != "spaced":
        signals["word_length"] = NOT_JUDGED
    if profile == "spaceless":
        signals["stop_words"] = NOT_JUDGED
    return signals


def datatrove(text: str, rule: str, stop_words: tuple[str, ...]) -> dict[str, float | None]:
    """Words that are not only punctuation are counted; shares are of all words; two symbols apart."""
    words = split(text, rule)
    solid = [word for word in words if any(character not in punctuation() for character in word)]
    lines = [line.strip() for line in text.splitlines()]
    return {
        "words": len(solid),
        "word_length": sum(map(len, solid)) / max(len(solid), 1),
        "hashes": text.count("#") / max(len(words), 1),
        "ellipses": (text.count("...") + text.count("\u2026")) / max(len(words), 1),
        "bullets": sum(line.startswith(("\u2022", "-")) for line in lines) / max(len(lines), 1),
        "ellipsis_lines": sum(line.endswith(("...", "\u2026")) for line in lines) / max(len(lines), 1),
        "alphabetic": sum(any(map(str.isalpha, word)) for word in words) / max(len(words), 1),
        "stop_words": len(set(stop_words) & set(words)),
    }


def dolma(text: str, rule: str, stop_words: tuple[str, ...]) -> dict[str, float | None]:
    """All words; the median length; words that hold a symbol; occurrences of stop words; unstripped lines."""
    words = split(text, rule)
    lines = text.split("\n")
    return {
        "words": len(words),
        "word_length": median(map(len, words)) if words else 0.0,
        "symbols": sum("#" in word or "\u2026" in word for word in words) / max(len(words), 1),
        "bullets": sum(line.startswith(("*", "-")) for line in lines) / max(len(lines), 1),
        "ellipsis_lines": sum(line.endswith("\u2026") for line in lines) / max(len(lines), 1),
        "alphabetic": sum(any(map(str.isalpha, word)) for word in words) / max(len(words), 1),
        "stop_words": sum(word in stop_words for word in words),
    }


def dclm(text: str, rule: str, stop_words: tuple[str, ...]) -> dict[str, float | None]:
    """Counted are words of the rule `unicode` that begin alphanumeric; all else is of `rule`; four symbols in one."""
    words = split(text, rule)
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    return {
        "words": sum(word[0].isalnum() for word in split(text, "unicode")),
        "word_length": sum(map(len, words)) / max(len(words), 1),
        "symbols": sum(map(text.count, ("#", "...", ". . .", "\u2026"))) / max(len(words), 1),
        "bullets": sum(line.startswith(("\u25cf", "\u2022", "*", "-")) for line in lines) / max(len(lines), 1),
        "ellipsis_lines": sum(line.endswith(("...", ". . .", "\u2026")) for line in lines) / max(len(lines), 1),
        "alphabetic": sum(any(map(str.isalpha, word)) for word in words) / max(len(words), 1),
        "stop_words": sum(word.lower() in stop_words for word in words),
    }
