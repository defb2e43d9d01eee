"""Chapter headings of plain-text books, English and Chinese."""

from __future__ import annotations

import re
from collections.abc import Iterator

WORDS = (
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety first second third fourth fifth sixth "
    "seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth "
    "nineteenth twentieth thirtieth fortieth fiftieth last"
)
NUMBER = rf"(?:[IVXLCDM]+|\d{{1,4}}|(?i:(?:the )?(?:{'|'.join(reversed(WORDS.split()))})(?:[- ][a-z]+)?))"
CAPITALS = "CHAPTER|BOOK|PART|VOLUME|LETTER|STAVE|CANTO|ADVENTURE|ACT"
ENGLISH = re.compile(
    rf"\s*(?:(?:{CAPITALS}) {NUMBER}(?:[\s.:,;\]—–-].*)?|(?:{CAPITALS.title()}) {NUMBER}(?:[.:\]—–-].*)?"
    r"|[IVXLCDM]+\. [A-Z][^.!?:;]{0,60})\s*$"
)
"""`CHAPTER XII. Anything`, `BOOK THE SECOND`, `Chapter 7: Title`, `II. The Mail`; not `Part I would not`."""
CHINESE = re.compile(
    r"[\s　]*第\s?[〇零一二三四五六七八九十百千两廿卅0-9０-９]{1,9}\s?[章回卷节節篇部]"
    r"(?:[\s　:：、·][^。！？；]*|[^，。！？；、分]*)$"
)
"""`第一章`, `第十二回 甄士隐梦幻识通灵`, `第3节：标题`; not a sentence that begins so."""
LONGEST = 120
LONGEST_CHINESE = 60


def language(line: str) -> str | None:
    """Return `english` or `chinese` if a line looks like a heading."""
    if len(line) <= LONGEST and ENGLISH.match(line):
        return "english"
    if len(line) <= LONGEST_CHINESE and CHINESE.match(line):
        return "chinese"
    return None


def marked(lines: Iterator[tuple[bytes, int]], codec: str) -> Iterator[tuple[bytes, int, bool]]:
    """Yield (line, position, whether a chapter starts here).

    Headings that follow each other line by line are a table of contents, no chapters. An English heading must follow
    a blank line: `PART I` may stand anywhere in prose.
    """
    held: tuple[bytes, int, bool] | None = None
    before, before_is_heading = "", False
    for line, offset in lines:
        # A line with more bytes than a heading has in any encoding is not worth decoding.
        text = line.decode(codec, "replace").rstrip("\r\n") if len(line) <= 4 * LONGEST else "-"
        kind = language(text)
        if held:
            yield held[0], held[1], held[2] and kind is None
        starts = kind is not None and not before_is_heading and (kind == "chinese" or not before.strip())
        held = (line, offset, starts)
        before, before_is_heading = text, kind is not None
    if held:
        yield held
