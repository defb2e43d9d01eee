"""The upstream files as they lie in the source folder: read, cut and ordered, nothing invented."""

from __future__ import annotations

import gzip
import hashlib
import json
import lzma
import re
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Word5 = set[tuple[str, ...]]


def order(*parts: str) -> str:
    """A key that sorts things into a fixed, meaningless order."""
    return hashlib.sha256("\x00".join(parts).encode()).hexdigest()


def shingles(text: str) -> Word5:
    """The 5-grams of the words of a text."""
    words = re.findall(r"\w+", text.lower())
    return set(zip(*(words[start:] for start in range(5)), strict=False))


def jaccard(left: str, right: str) -> float:
    """Exact Jaccard similarity of two texts' word 5-grams."""
    one, two = shingles(left), shingles(right)
    return len(one & two) / max(1, len(one | two))


def jsonl(path: Path) -> Iterable[dict[str, Any]]:
    """The rows of an xz-compressed JSON lines file."""
    with lzma.open(path, "rt", encoding="utf-8") as lines:
        yield from (json.loads(line) for line in lines)


def peps(root: Path) -> dict[str, list[dict[str, Any]]]:
    """PEP number -> its yearly versions in reStructuredText, oldest first."""
    versions: dict[str, list[dict[str, Any]]] = {}
    for row in jsonl(root / "c_neardup/pep-history/pep-history.jsonl.xz"):
        if row["path"].endswith(".rst") or "text/x-rst" in row["text"][:1500]:
            versions.setdefault(row["cluster"], []).append(row)
    return {name: sorted(rows, key=lambda row: row["date"]) for name, rows in sorted(versions.items())}


def gutenberg(root: Path, path: str) -> str:
    """The words of a book, without Project Gutenberg's header, licence and name; line ends as newlines."""
    raw = (root / "d_books" / path).read_bytes()
    text = (gzip.decompress(raw) if path.endswith(".gz") else raw).decode("utf-8-sig").replace("\r\n", "\n")
    start = re.search(r"\*\*\* ?START OF[^\n]*\n", text)
    stop = re.search(r"\n[^\n]*(?:End of (?:the )?Project Gutenberg|\*\*\* ?END OF)", text)
    body = text[start.end() if start else 0 : stop.start() if stop else len(text)]
    return "\n".join(line for line in body.split("\n") if "Gutenberg" not in line)


def editions(root: Path, book: str) -> dict[int, dict[str, str]]:
    """Chapter -> edition -> text of one book."""
    found: dict[int, dict[str, str]] = {}
    for row in jsonl(root / "c_neardup/pg-editions/pg-editions.jsonl.xz"):
        name, chapter = row["cluster"].rsplit(":", 1)
        if name == book:
            found.setdefault(int(chapter), {})[row["edition"]] = row["text"]
    return found


def chinese_histories(root: Path) -> dict[str, list[tuple[str, str]]]:
    """Chapter path -> its sentence pairs (classical, modern)."""
    chapters = {}
    with tarfile.open(root / "d_books/zh-classical-modern/zh-classical-modern.tar.xz") as archive:
        for member in archive:
            if member.isfile() and member.name.endswith("bitext.txt"):
                text = archive.extractfile(member).read().decode("utf-8-sig")  # type: ignore[union-attr]
                pairs = re.findall(r"古文：(.*)\n现代文：(.*)", text)
                chapters[member.name.removesuffix("/bitext.txt").split("/", 1)[1]] = [
                    (old.strip(), new.strip()) for old, new in pairs
                ]
    return dict(sorted(chapters.items()))


def declarations(root: Path) -> dict[str, str]:
    """Language code -> HTML of the Universal Declaration of Human Rights."""
    with tarfile.open(root / "f_langid/udhr-html/udhr-html.tar.gz") as archive:
        files = {member.name: archive.extractfile(member) for member in archive if member.isfile()}
        return {Path(name).stem: file.read().decode() for name, file in sorted(files.items()) if file}


def polarity(root: Path) -> list[tuple[str, str]]:
    """(sentence, label) of the sentence polarity set, in its order: positive ones first."""
    found = []
    with zipfile.ZipFile(root / "e_labelled/movie-reviews/sentence_polarity.zip") as archive:
        for name, label in (("pos", "positive"), ("neg", "negative")):
            lines = archive.read(f"sentence_polarity/rt-polarity.{name}").decode("utf-8").splitlines()
            found += [(line.strip(), label) for line in lines if line.strip()]
    return found


def chinese_wordnet(root: Path) -> dict[str, list[str]]:
    """Synset -> its Chinese lemmas."""
    synsets: dict[str, list[str]] = {}
    with gzip.open(root / "g_lexical/wordnet-zh-cow/wns/cow/wn-data-cmn.tab.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            parts = line.rstrip("\n").split("\t")
            if len(parts) == 3 and parts[1].endswith("lemma"):
                synsets.setdefault(parts[0], []).append(parts[2].replace("+", ""))
    return synsets


def english_wordnet(root: Path) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """(word -> its synsets, best known first; synset -> its members)."""
    words: dict[str, list[str]] = {}
    members: dict[str, list[str]] = {}
    with tarfile.open(root / "g_lexical/english-wordnet-yaml/english-wordnet-yaml.tar.xz") as archive:
        for member in archive:
            if not member.isfile() or not member.name.endswith(".yaml"):
                continue
            text = archive.extractfile(member).read().decode()  # type: ignore[union-attr]
            if "/entries-" in member.name:
                for entry in re.split(r"(?m)^(?=\S)", text):
                    words[entry.partition(":")[0].strip("'\"")] = re.findall(r"synset: (\S+)", entry)
            else:
                for entry in re.split(r"(?m)^(?=\d)", text):
                    listed = re.search(r"(?m)^  members:\n((?:  - .*\n)+)", entry)
                    if listed:
                        members[entry[:10]] = [one[4:].strip("'\"") for one in listed[1].splitlines()]
    return words, members
