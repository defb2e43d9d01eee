"""The encoding of a plain-text file that nobody labelled, and where its lines end."""

from __future__ import annotations

import codecs
from dataclasses import dataclass

from corpusmill import InputFile, ReadLimits
from corpusmill_plugins.readers.streams import open_plain

SAMPLE_CHUNK = 1 << 20
SAMPLE_CHUNKS = 4
MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
"""UTF-32 stands before UTF-16, whose mark it starts with."""


@dataclass(frozen=True)
class Encoding:
    """How bytes become lines of text. `codec`: without a mark of its own; `mark`: length of the one in the file."""

    codec: str
    mark: int = 0

    @property
    def newline(self) -> bytes:
        """The bytes of a line feed."""
        return "\n".encode(self.codec)


def encoding_of(file: InputFile, wanted: str, limits: ReadLimits) -> Encoding:
    """Return the encoding of one file. `wanted`: a codec, or `auto`; a byte order mark of that codec is skipped."""
    with open_plain(file, limits) as stream:
        head = stream.read_full(4)
        mark = next(((len(mark), name) for mark, name in MARKS if head.startswith(mark)), None)
        codec = wanted if wanted == "auto" else codecs.lookup(wanted).name
        if mark and (codec == "auto" or mark[1].removesuffix("-le").removesuffix("-be") == codec or mark[1] == codec):
            return Encoding(mark[1], mark[0])
        if codec in ("utf-16", "utf-32"):
            # Without a mark these mean little-endian here; Python would take the machine's order.
            return Encoding(f"{codec}-le")
        if codec == "utf-8-sig":
            return Encoding("utf-8")
        if codec != "auto":
            return Encoding(codec)
        sample = head
        found = bytearray()
        for _ in range(SAMPLE_CHUNKS):
            # ASCII says nothing: look on until something else comes, however late.
            while sample.isascii() and (sample := stream.read_full(SAMPLE_CHUNK)):
                pass
            found += sample
            sample = b""
        return Encoding(guess(bytes(found)))


def guess(sample: bytes) -> str:
    """Return `utf-8`, `gb18030` or `cp1252` for bytes without a mark; utf-8 where nothing speaks against it.

    UTF-8 if at most 1 % of what is not ASCII breaks its rules, so that one damaged byte does not change the reading
    of a whole file. Then GB18030 if it decodes and most bytes above ASCII stand in pairs of the GB2312 plane: letters
    with accents of Western text stand alone. Then cp1252. Other encodings must be named.
    """
    text = sample.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    intact = len(text) - sum(map(str.isascii, text)) - broken if broken else 0
    if not broken or b"\0" in sample or (intact and broken <= max(1, intact * 0.01)):
        return "utf-8"
    chinese = sample.decode("gb18030", "replace")
    if chinese.count("\ufffd") <= len(chinese) * 0.001 + 1 and _paired(sample) >= 0.6:
        return "gb18030"
    return "cp1252"


def _paired(sample: bytes) -> float:
    """Return the share of bytes above ASCII that stand in runs of even length within the GB2312 plane."""
    high = paired = run = 0
    for byte in sample[:SAMPLE_CHUNK] + b" ":
        if byte >= 0xA1:
            run += 1
            continue
        high += run + (byte >= 0x80)
        paired += run - run % 2
        run = 0
    return paired / high if high else 0.0
