"""Documents out of the lines of a text file: by file, chapter, paragraph or line, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from corpusmill_plugins.readers.headings import marked
from corpusmill_plugins.readers.lines import BLOCK, HEAD
from corpusmill_plugins.readers.streams import PlainStream

Lines = Iterator[tuple[bytes, int]]
"""(line as stored, with its newline; position of its first byte)"""
Blank = Callable[[bytes], bool]


@dataclass
class Segment:
    """A document in the making: its lines as stored, its place, and its true length if it outgrew the limit."""

    offset: int
    lines: list[bytes] = field(default_factory=list)
    length: int = 0

    def add(self, line: bytes, limit: int) -> None:
        """Append a line; beyond the limit only the length grows."""
        if self.length <= limit:
            self.lines.append(line)
        self.length += len(line)

    @property
    def raw(self) -> bytes:
        """What is held of the document."""
        return b"".join(self.lines)


def stored_lines(stream: PlainStream, offset: int, newline: bytes, longest: int) -> Lines:
    """Yield (line with its newline, position). A line beyond `longest` bytes comes in pieces of about that size.

    `newline`: the bytes of a line feed; where they are two or four, they count only on a character's boundary.
    """
    width, rest = len(newline), b""
    while chunk := stream.read_full(BLOCK):
        data, at = rest + chunk, 0
        while (end := _find(data, newline, at, width)) >= 0:
            yield data[at : end + width], offset + at
            at = end + width
        if len(data) - at > longest:
            whole = len(data) - (len(data) - at) % width
            yield data[at:whole], offset + at
            at = whole
        rest = data[at:]
        offset += at
    if rest:
        yield rest, offset


def _find(data: bytes, newline: bytes, at: int, width: int) -> int:
    end = data.find(newline, at)
    while end >= 0 and (end - at) % width:
        end = data.find(newline, end + 1)
    return end


def whole(lines: Lines, limit: int) -> Iterator[Segment]:
    """Yield all lines as one document; none for a file without bytes."""
    segment: Segment | None = None
    for line, offset in lines:
        segment = segment or Segment(offset)
        segment.add(line, limit)
    if segment:
        yield segment


def single_lines(lines: Lines, limit: int, blank: Blank, newline: bytes) -> Iterator[Segment]:
    """Yield each line that is not blank."""
    for segment in _joined_pieces(lines, limit, newline):
        if not blank(segment.raw):
            yield segment


def _joined_pieces(lines: Lines, limit: int, newline: bytes) -> Iterator[Segment]:
    """Yield lines, the pieces of a very long one put together again (up to the limit)."""
    segment: Segment | None = None
    for line, offset in lines:
        segment = segment or Segment(offset)
        segment.add(line, limit)
        if line.endswith(newline):
            yield segment
            segment = None
    if segment:
        yield segment


def paragraphs(lines: Lines, limit: int, blank: Blank) -> Iterator[Segment]:
    """Yield runs of lines between blank ones."""
    segment: Segment | None = None
    for line, offset in lines:
        if blank(line):
            if segment:
                yield segment
            segment = None
            continue
        segment = segment or Segment(offset)
        segment.add(line, limit)
    if segment:
        yield segment


def chapters(lines: Lines, limit: int, blank: Blank, codec: str) -> Iterator[Segment]:
    """Yield what stands before the first heading, then each chapter with its heading.

    A heading with nothing but another heading below (BOOK I, CHAPTER I) belongs to the chapter that follows.
    """
    segment: Segment | None = None
    bare = False
    for line, offset, starts in marked(lines, codec):
        if segment is None and blank(line):
            continue
        if segment and starts and not bare:
            yield segment
            segment = None
        segment = segment or Segment(offset)
        segment.add(line, limit)
        bare = starts or (bare and blank(line))
    if segment:
        yield segment


def cut_raw(segment: Segment) -> bytes:
    """Return the first bytes of a document for quarantine."""
    return segment.raw[:HEAD]
