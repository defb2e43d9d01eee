"""Bytes of web pages to text: labels as the web uses them, and what to do when they lie or are missing."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
WEB_LABELS = {
    **dict.fromkeys(("gb2312", "gbk", "gb_2312-80", "x-gbk", "gb-2312", "cp936", "gb18030"), "gb18030"),
    **dict.fromkeys(("iso-8859-1", "iso8859-1", "latin1", "latin-1", "ascii", "us-ascii", "windows-1252"), "cp1252"),
    **dict.fromkeys(("shift_jis", "shift-jis", "x-sjis", "sjis", "windows-31j"), "cp932"),
    **dict.fromkeys(("euc-kr", "ks_c_5601-1987", "ksc5601", "windows-949"), "cp949"),
    **dict.fromkeys(("big5", "big5-hkscs", "x-x-big5"), "big5hkscs"),
    **dict.fromkeys(("iso-8859-9", "latin5"), "cp1254"),
    **dict.fromkeys(("tis-620", "iso-8859-11", "windows-874"), "cp874"),
    **dict.fromkeys(("utf8", "utf-8", "utf8mb4", "unicode"), "utf-8"),
    **dict.fromkeys(("utf-16", "utf-16le"), "utf-16-le"),
}
"""Labels -> codecs, after the WHATWG Encoding Standard: the superset that pages under a label really use."""
HOSTILE = frozenset({"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "utf-7"})
"""Text codecs of Python that no page may choose: quadratic, or not an encoding of pages."""
META = re.compile(rb"""<meta[^>]{0,400}?charset\s*=\s*["']?\s*([a-zA-Z0-9_.:\-]{2,40})""", re.IGNORECASE)
HEADER = re.compile(r"""charset\s*=\s*["']?\s*([a-zA-Z0-9_.:\-]{2,40})""", re.IGNORECASE)
META_BYTES = 4096
TAIL = 3
"""Bytes of a character cut at the end of a capture, at most."""


def codec_for(label: str) -> str | None:
    """Return Python's name of the codec that a label stands for, or None for unknown or unsuitable ones."""
    label = label.strip().lower()
    if label in WEB_LABELS:
        return WEB_LABELS[label]
    try:
        codec = codecs.lookup(label)
    except (LookupError, ValueError):
        return None
    suitable = getattr(codec, "_is_text_encoding", True) and codec.name.replace("-", "_") not in HOSTILE
    return codec.name if suitable and codec.name not in ("utf-7", "mbcs", "oem") else None


def decode_page(body: bytes, content_type: str, encoding: str, most_undecodable: float) -> str | None:
    """Return the text of a page, or None if no encoding explains it.

    `encoding`: `auto` or a codec. Auto takes, in this order: a byte order mark; UTF-8 where all bytes are valid
    UTF-8 (that is no accident); the charset of the HTTP header; that of <meta>; detection by content. The first that
    decodes everything wins; else the best of them, if it leaves at most `most_undecodable` of the characters as
    U+FFFD. A character cut off at the very end is dropped.
    """
    if encoding != "auto":
        return _best(body, [encoding], most_undecodable)
    for mark, name in MARKS:
        if body.startswith(mark):
            return _best(body[len(mark) :], [name], most_undecodable)
    header = HEADER.search(content_type)
    label = codec_for(header[1]) if header else None
    if not _stateful(body, label):
        try:
            return body.decode()
        except UnicodeDecodeError:
            pass
    return _best(body, list(dict.fromkeys(_candidates(body, label))), most_undecodable)


def _stateful(body: bytes, label: str | None) -> bool:
    """Return whether ASCII bytes may stand for something else: escapes, or two bytes a character."""
    if label is not None and ((label.startswith(("utf-16", "utf-32")) and b"\0" in body) or label == "hz"):
        return True
    return label is not None and label.startswith("iso2022") and b"\x1b" in body


def _candidates(body: bytes, label: str | None) -> Iterator[str]:
    """Yield codecs, best first; detection runs only if the labels fail."""
    if label:
        yield label
    meta = META.search(body[:META_BYTES])
    name = codec_for(meta[1].decode("ascii")) if meta else None
    # A page whose <meta> could be read byte by byte is not UTF-16, whatever it says.
    if name and not name.startswith(("utf-16", "utf-32")):
        yield name
    from resiliparse.parse.encoding import detect_encoding

    detected = codec_for(detect_encoding(body, from_html_meta=False) or "")
    if detected:
        yield detected
    yield from ("utf-8", "gb18030")


def _best(body: bytes, names: list[str], most: float) -> str | None:
    """Return the first strict decoding, else the one with the fewest replacements if they are few enough."""
    for name in names:
        text = _strict(body, name)
        if text is not None:
            return text
    best: str | None = None
    fewest = most
    for name in names:
        text = body.decode(name, "replace")
        share = text.count("\ufffd") / max(1, len(text))
        if share <= fewest and (best is None or share < fewest):
            best, fewest = text, share
    return best


def _strict(body: bytes, name: str) -> str | None:
    try:
        return body.decode(name)
    except UnicodeDecodeError as error:
        if error.start < len(body) - TAIL:
            return None
        try:
            return body[: error.start].decode(name)
        except UnicodeDecodeError:
            return None
