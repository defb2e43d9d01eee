"""read.text: plain text, a document for each file, chapter, paragraph or line."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator

from corpusmill import InputFile, Reader, ReadLimits, Reject, Slice, option
from corpusmill_plugins.readers import segments
from corpusmill_plugins.readers.charsets import codec_for
from corpusmill_plugins.readers.encodings import Encoding, encoding_of
from corpusmill_plugins.readers.gutenberg import without_licence
from corpusmill_plugins.readers.lines import line_ranges
from corpusmill_plugins.readers.segments import Segment
from corpusmill_plugins.readers.streams import compression, open_plain

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_BYTES = 4 << 20
SHORT = 256
"""Longest line in bytes that may be blank in ways only its encoding knows (ideographic spaces)."""


def _known(encoding: str) -> str:
    # Labels mean what the web means by them (gb2312 is gb18030), but latin-1 is latin-1 here.
    if encoding == "auto" or encoding.lower() in ("latin-1", "latin1", "iso-8859-1", "ascii", "us-ascii"):
        return encoding if encoding == "auto" else codecs.lookup(encoding).name
    codec = codec_for(encoding)
    if codec is None:
        raise ValueError(f"{encoding!r} is no text encoding: say auto, utf-8, gb18030 or another codec of Python")
    return "utf-16" if encoding.lower() == "utf-16" else codec


class Text(Reader):
    """Read plain text files, also gzip and zstd.

    `chapter` cuts before lines such as `CHAPTER I.`, `Chapter 12: Title`, `LETTER IV`, `第一章` or `第一回 …`; what
    stands before the first one is a document too. `paragraph` cuts at blank lines, `line` at every line; blank lines
    are no documents. Line ends become `\\n`, and those at the end of a document are removed (`file` keeps them).
    `encoding: auto` takes a byte order mark, else decides for the whole file between UTF-8, GB18030 and cp1252.
    `offset` is the first byte of the document in the decompressed file.
    Reasons of rejection: invalid-encoding, too-large.
    """

    suffixes = (".txt", ".text", ".gz", ".zst")

    class Options(Reader.Options):
        """Options of read.text."""

        document: Literal["file", "chapter", "paragraph", "line"] = option("file", help="what becomes one document")
        encoding: Annotated[str, AfterValidator(_known)] = option(
            "utf-8", help="auto, or a codec such as utf-8, gb18030, latin-1"
        )
        gutenberg: bool = option(False, help="drop the header and licence of Project Gutenberg where a file has them")

    def ranges(self, file: InputFile) -> list[tuple[int, int]]:
        """Cut a plain file at line starts where lines are documents and nothing depends on the file as a whole."""
        options = self.options
        apart = options.document == "line" and not options.gutenberg and options.encoding != "auto"
        wide = options.encoding.startswith(("utf-16", "utf-32", "utf_16", "utf_32"))
        if not apart or wide or compression(file):
            return [(0, file.size)]
        return line_ranges(file, options.shard)

    def read(self, part: Slice, reject: Reject) -> Iterator[pa.RecordBatch]:
        """Yield the documents of one range, about 4 MB a batch."""
        texts: list[str] = []
        offsets: list[int] = []
        size = 0
        for segment, encoding in self._segments(part):
            text = self._decoded(segment, encoding, part.limits, reject)
            if text is None:
                continue
            texts.append(text)
            offsets.append(segment.offset)
            size += segment.length
            if size >= BATCH_BYTES:
                yield _batch(texts, offsets)
                texts, offsets, size = [], [], 0
        if texts:
            yield _batch(texts, offsets)

    def _segments(self, part: Slice) -> Iterator[tuple[Segment, Encoding]]:
        encoding = encoding_of(part.file, self.options.encoding, part.limits)
        limit = part.limits.max_document_bytes
        with open_plain(part.file, part.limits, part.start, part.stop) as stream:
            mark = encoding.mark if part.start == 0 else 0
            stream.read_full(mark)
            lines = segments.stored_lines(stream, part.start + mark, encoding.newline, limit)
            if self.options.gutenberg:
                lines = without_licence(lines)
            for segment in self._grouped(lines, limit, encoding):
                yield segment, encoding

    def _grouped(self, lines: Iterator[tuple[bytes, int]], limit: int, encoding: Encoding) -> Iterator[Segment]:
        def blank(line: bytes) -> bool:
            return not line.strip() or (len(line) <= SHORT and not line.decode(encoding.codec, "replace").strip())

        match self.options.document:
            case "line":
                return segments.single_lines(lines, limit, blank, encoding.newline)
            case "paragraph":
                return segments.paragraphs(lines, limit, blank)
            case "chapter":
                return segments.chapters(lines, limit, blank, encoding.codec)
        return segments.whole(lines, limit)

    def _decoded(self, segment: Segment, encoding: Encoding, limits: ReadLimits, reject: Reject) -> str | None:
        limit = limits.max_document_bytes
        if segment.length > limit:
            detail = f"{segment.length} bytes, at most {limit}"
            reject(segments.cut_raw(segment), segment.offset, "too-large", detail, length=segment.length)
            return None
        try:
            text = segment.raw.decode(encoding.codec)
        except UnicodeDecodeError as error:
            detail = f"{encoding.codec}: {error.reason} at byte {segment.offset + error.start}"
            reject(segments.cut_raw(segment), segment.offset, "invalid-encoding", detail, length=segment.length)
            return None
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        return text if self.options.document == "file" else text.rstrip("\n")


def _batch(texts: list[str], offsets: list[int]) -> pa.RecordBatch:
    import pyarrow as pa

    schema = pa.schema([("text", pa.large_string()), ("offset", pa.int64())])
    return pa.RecordBatch.from_arrays(
        [pa.array(texts, pa.large_string()), pa.array(offsets, pa.int64())], schema=schema
    )
