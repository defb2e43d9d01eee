"""Synonym lexicons: reading and checking their files."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from corpusmill import InputError


@dataclass(frozen=True)
class Lexicon:
    """Words in small letters -> their synonyms, never the word itself; `longest`: characters of the longest word."""

    synonyms: dict[str, tuple[str, ...]]
    longest: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "longest", max(map(len, self.synonyms), default=0))


def read_lexicon(path: str, base: str) -> Lexicon:
    """Read a lexicon, `path` from the folder `base`; raises InputError that names the line or entry at fault."""
    place = Path(base) / path
    try:
        content = place.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"cannot read the lexicon {path!r}: {error}", where=str(place), expected="a UTF-8 file"
        ) from error
    entries = _from_json(content, path) if place.suffix == ".json" else _from_lines(content, path)
    synonyms = {}
    for word, listed in entries:
        others = tuple(dict.fromkeys(one for one in map(str.strip, listed) if one and one.lower() != word))
        if others:
            synonyms[word] = others
    if not synonyms:
        raise InputError(
            f"the lexicon {path!r} has no synonyms", where=str(place), expected="`word<TAB>synonym,…` lines"
        )
    return Lexicon(synonyms)


def _from_lines(content: str, path: str) -> list[tuple[str, list[str]]]:
    entries = []
    for number, line in enumerate(content.split("\n"), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        word, tab, listed = line.partition("\t")
        if not tab or not word.strip():
            raise InputError(
                f"no tab after a word: {line[:80]!r}", where=f"{path}:{number}", expected="`word<TAB>synonym,synonym…`"
            )
        entries.append((word.strip().lower(), listed.split(",")))
    return entries


def _from_json(content: str, path: str) -> list[tuple[str, list[str]]]:
    try:
        loaded = json.loads(content)
    except ValueError as error:
        raise InputError(
            f"the lexicon {path!r} is not JSON: {error}", where=path, expected="{word: [synonym, …]}"
        ) from error
    if not isinstance(loaded, dict):
        raise InputError(
            f"the lexicon {path!r} holds {type(loaded).__name__}", where=path, expected="{word: [synonym, …]}"
        )
    for word, listed in loaded.items():
        if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
            raise InputError(f"entry {word!r}: {listed!r:.80}", where=path, expected="a list of texts")
    return [(word.strip().lower(), listed) for word, listed in loaded.items()]
