"""Plain books: whole chapters, a few to a file, under one kind of heading."""

from __future__ import annotations

import re
from pathlib import Path

from recipe import sources

FILE_BYTES = 42_000
"""A file ends with the chapter that brings it to this size."""
_BOOKS = (
    ("alice", "pg-11/11-0.txt", r"CHAPTER ([IVXLC]+)\. (.*)"),
    ("sherlock", "pg-1661/1661.txt.gz", r"(?:ADVENTURE )?([IVXLC]+)\. ((?:THE )?[A-Z][A-Z' -]+)"),
    ("two-cities", "pg-98/98-0.txt.gz", r"([IVXLC]+)\. (.*)"),
    ("pride", "pg-1342/1342-0.txt.gz", r"Chapter (\d+)()"),
)
TRAVELS = 36
"""How many chapters of the travel diaries to take."""


def files(root: Path) -> dict[str, bytes]:
    """Return file name -> bytes of all books."""
    found: dict[str, bytes] = {}
    for name, path, heading in _BOOKS:
        found |= _volumes(name, english_chapters(sources.gutenberg(root, path), heading), ("utf-8",))
    return found | _volumes("xu-xiake", chinese_chapters(root), ("utf-8", "gb18030", "utf-8"))


def english_chapters(text: str, heading: str) -> list[str]:
    """Cut a book at its headings (a whole line each), drop what stands before, call every one a chapter."""
    marks = [mark for mark in re.finditer(rf"(?m)^{heading}$", text) if _opens_chapter(text, mark.end())]
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    chapters = []
    for number, (mark, end) in enumerate(zip(marks, ends, strict=True), start=1):
        title = f"CHAPTER {number}. {mark[2].strip().title() if mark[2].isupper() else mark[2].strip()}".strip()
        chapters.append(f"{title}\n\n{_plain(text[mark.end() : end])}\n")
    return chapters


def _opens_chapter(text: str, at: int) -> bool:
    """A heading is followed by at least 400 characters of body before the next blank-framed heading of a contents."""
    return len(re.split(r"\n\n\n\n", text[at : at + 1500].strip("\n"))[0]) > 400


def _plain(body: str) -> str:
    body = re.sub(r"(?m)^(?:Book the \w+.*|THE END|\s*\*(?:\s+\*)+)\s*$", "", body)
    return re.sub(r"\n{3,}", "\n\n", body).strip()


def chinese_chapters(root: Path) -> list[str]:
    """Chapters of Xu Xiake's travel diaries (Ming dynasty, classical Chinese)."""
    chapters = []
    for name, pairs in sources.chinese_histories(root).items():
        if name.startswith("徐霞客游记") and len(pairs) >= 40 and len(chapters) < TRAVELS:
            sentences = [classical for classical, _ in pairs][:150]
            text = "\n\n".join("".join(sentences[start : start + 6]) for start in range(0, len(sentences), 6))
            chapters.append(f"第{len(chapters) + 1}章 {name.rsplit('/', 1)[1]}\n\n{text}\n")
    return chapters


def _volumes(name: str, chapters: list[str], encodings: tuple[str, ...]) -> dict[str, bytes]:
    """Group chapters into files; encodings take turns."""
    groups: list[str] = [""]
    for chapter in chapters:
        if len(groups[-1].encode()) >= FILE_BYTES:
            groups.append("")
        groups[-1] += f"{chapter}\n\n"
    return {
        f"{name}-{number:02}{'' if encodings[number % len(encodings)] == 'utf-8' else '.gb18030'}.txt": group.encode(
            encodings[number % len(encodings)]
        )
        for number, group in enumerate(groups, start=1)
    }
