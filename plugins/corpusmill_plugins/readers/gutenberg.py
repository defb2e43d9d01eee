"""What Project Gutenberg puts around a book: its header and its licence."""

from __future__ import annotations

import re
from collections.abc import Iterator

START = re.compile(rb"\*\*\*? ?START OF (?:THE|THIS) PROJECT GUTENBERG EBOOK[^\r\n]*")
END = re.compile(
    rb"\*\*\*? ?END OF (?:THE|THIS) PROJECT GUTENBERG EBOOK|End of (?:the )?Project Gutenberg(?:'s|\xe2\x80\x99s)? "
)
HEADER_BYTES = 256 << 10
"""A header is much shorter; where no start line stands in so many bytes, the file has none and is kept whole."""


def without_licence(lines: Iterator[tuple[bytes, int]]) -> Iterator[tuple[bytes, int]]:
    """Yield the lines between the start and the end line of an eBook; all lines of a file without a start line."""
    held: list[tuple[bytes, int]] = []
    size = 0
    for line, offset in lines:
        if START.match(line):
            yield from _to_end(lines)
            return
        held.append((line, offset))
        size += len(line)
        if size > HEADER_BYTES:
            break
    yield from held
    yield from lines


def _to_end(lines: Iterator[tuple[bytes, int]]) -> Iterator[tuple[bytes, int]]:
    for line, offset in lines:
        if END.match(line):
            # The rest must still be read: damage there is damage of the file.
            for _ in lines:
                pass
            return
        yield line, offset
