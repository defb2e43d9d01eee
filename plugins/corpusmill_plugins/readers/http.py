"""HTTP messages inside WARC blocks: status, headers, and the body as the server meant it."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass

STATUS = re.compile(rb"HTTP/\d(?:\.\d)? (\d{3})(?:[ \r]|$)")
HEAD_END = re.compile(rb"\r?\n\r?\n")
CHUNK_LINE = re.compile(rb"\s*([0-9a-fA-F]{1,8})[ \t]*(?:;[^\r\n]*)?\r?\n")


class BadMessage(ValueError):
    """A message that cannot be understood; `reason` is the word for quarantine."""

    def __init__(self, reason: str, detail: str = ""):
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail


@dataclass(frozen=True)
class Message:
    """A response: its status, headers by lower-case name (the first of each), and its decoded body."""

    status: int
    headers: dict[str, str]
    body: bytes


def parse(block: bytes, limit: int) -> Message:
    """Take a response apart and undo its transfer and content encodings; raises BadMessage.

    Bodies that were stored decoded under headers that say otherwise, as many crawlers do, are taken as they are.
    `limit`: most bytes of the body.
    """
    match = STATUS.match(block)
    if match is None:
        raise BadMessage("bad-http", "no status line")
    end = HEAD_END.search(block)
    head, body = (block, b"") if end is None else (block[: end.start()], block[end.end() :])
    headers: dict[str, str] = {}
    for line in head.split(b"\n")[1:]:
        key, _, value = line.decode("latin-1").partition(":")
        headers.setdefault(key.strip().lower(), value.strip())
    if "chunked" in headers.get("transfer-encoding", "").lower():
        body = unchunk(body)
    for coding in reversed(headers.get("content-encoding", "").lower().replace(" ", "").split(",")):
        body = decompress(body, coding, limit)
    return Message(int(match[1]), headers, body)


def unchunk(body: bytes) -> bytes:
    """Join the chunks; a body that does not start like a chunk was stored joined already. Raises BadMessage."""
    pieces, at = list[bytes](), 0
    while line := CHUNK_LINE.match(body, at):
        size = int(line[1], 16)
        at = line.end()
        if size == 0:
            return b"".join(pieces)
        piece = body[at : at + size]
        if len(piece) < size:
            break
        pieces.append(piece)
        at += size
    if not pieces:
        return body
    raise BadMessage("bad-chunks", f"chunk {len(pieces) + 1} of the body is broken or missing")


def decompress(body: bytes, coding: str, limit: int) -> bytes:
    """Undo one content coding within `limit` bytes; raises BadMessage."""
    if coding in ("gzip", "x-gzip"):
        return _inflate(body, 31, limit) if body.startswith(b"\x1f\x8b") else body
    if coding == "deflate":
        try:
            return _inflate(body, 15, limit)
        except BadMessage:
            return _inflate(body, -15, limit)
    if coding in ("br", "zstd"):
        return _through_arrow(body, {"br": "brotli"}.get(coding, coding), limit)
    if coding in ("", "identity", "none", "utf-8"):
        return body
    raise BadMessage("unknown-content-encoding", coding)


def _inflate(body: bytes, window: int, limit: int) -> bytes:
    try:
        decoder = zlib.decompressobj(wbits=window)
        plain = decoder.decompress(body, limit + 1)
    except zlib.error as error:
        raise BadMessage("bad-content-encoding", str(error)) from error
    if len(plain) <= limit and not decoder.eof:
        raise BadMessage("bad-content-encoding", "the compressed body is truncated")
    return _within(plain, limit)


def _through_arrow(body: bytes, codec: str, limit: int) -> bytes:
    import pyarrow as pa

    try:
        with pa.CompressedInputStream(pa.BufferReader(body), codec) as stream:
            return _within(stream.read(limit + 1), limit)
    except OSError as error:
        if body.lstrip()[:1] == b"<":
            return body
        raise BadMessage("bad-content-encoding", str(error)) from error


def _within(plain: bytes, limit: int) -> bytes:
    if len(plain) > limit:
        raise BadMessage("too-large", f"decompressed body of more than {limit} bytes")
    return plain
