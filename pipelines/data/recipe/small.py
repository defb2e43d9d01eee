"""The small files: labelled sentences and the synonym lexicon."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

from recipe import sources

SENTENCES = 4_000
"""Sentences of each label."""
ENGLISH, CHINESE = 2_000, 1_400
"""Entries of each language in the lexicon."""
_HAN = re.compile(r"[\u4e00-\u9fff]{2,4}")


def reviews(root: Path) -> bytes:
    """Labelled sentences as JSON lines, in a mixed order."""
    rows: list[tuple[str, str]] = []
    for wanted in ("positive", "negative"):
        rows += [row for row in sources.polarity(root) if row[1] == wanted][:SENTENCES]
    rows.sort(key=lambda row: sources.order("review", *row))
    return "".join(
        json.dumps({"text": text, "label": label}, ensure_ascii=False) + "\n" for text, label in rows
    ).encode()


def lexicon(root: Path, english: str, chinese: str) -> bytes:
    """Synonyms of words that occur in the texts, most frequent first cut, then sorted: `word<TAB>synonym,…`."""
    lines = [*_english(root, english), *_chinese(root, chinese)]
    return (
        "# English: Open English WordNet; Chinese: Chinese Open Wordnet; see LICENSES\n" + "\n".join(lines) + "\n"
    ).encode()


def _english(root: Path, text: str) -> list[str]:
    words, members = sources.english_wordnet(root)
    found = []
    for word, count in sorted(Counter(re.findall(r"[a-z]{4,}", text)).items(), key=lambda item: (-item[1], item[0])):
        senses = words.get(word, [])
        others = [one for one in members.get(senses[0], []) if one != word and one.isalpha()] if senses else []
        # A word of many senses is likelier to be replaced by a wrong one.
        if count >= 3 and others and len(senses) <= 6 and len(found) < ENGLISH:
            found.append(f"{word}\t{','.join(others[:4])}")
    return sorted(found)


def _chinese(root: Path, text: str) -> list[str]:
    synsets: dict[str, list[list[str]]] = {}
    for lemmas in sources.chinese_wordnet(root).values():
        for lemma in lemmas:
            synsets.setdefault(lemma, []).append(lemmas)
    seen = Counter(text[at : at + size] for size in (2, 3, 4) for at in range(len(text) - size))
    found = []
    for word, groups in sorted(synsets.items()):
        others = [one for one in groups[0] if one != word and _HAN.fullmatch(one)]
        if len(groups) == 1 and others and _HAN.fullmatch(word) and seen[word]:
            found.append((-seen[word], f"{word}\t{','.join(others[:4])}"))
    return sorted(line for _, line in sorted(found)[:CHINESE])
