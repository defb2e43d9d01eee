"""WARC 1.1 files, the same bytes every time: one gzip member a record, no clock, no random ids."""

from __future__ import annotations

import base64
import gzip
import hashlib
import uuid
from dataclasses import dataclass
from pathlib import Path

_SPACE = uuid.UUID("6f6d7263-7370-4d69-8c6c-70616765736d")


@dataclass(frozen=True)
class Capture:
    """One answer of a server: `charset` is what its Content-Type header says, if it says anything."""

    url: str
    body: bytes
    date: str
    charset: str | None = None
    status: str = "200 OK"
    kind: str = "text/html"


def write_warc(path: Path, captures: list[Capture]) -> None:
    """Write a file of captures: a warcinfo record, then a request and a response record for each."""
    members = [_record("warcinfo", path.name, "2026-01-01T00:00:00Z", "application/warc-fields", _INFO)]
    for capture in captures:
        members.append(_request(capture))
        members.append(_response(capture))
    path.write_bytes(b"".join(gzip.compress(member, 9, mtime=0) for member in members))


_INFO = b"software: pipelines/data/make_data.py\r\nformat: WARC File Format 1.1\r\ndescription: made, not crawled\r\n"


def _request(capture: Capture) -> bytes:
    host, _, path = capture.url.split("//", 1)[1].partition("/")
    block = f"GET /{path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: example-bot/1.0\r\nAccept: text/html\r\n\r\n".encode()
    return _record("request", capture.url, capture.date, "application/http; msgtype=request", block)


def _response(capture: Capture) -> bytes:
    kind = capture.kind + (f"; charset={capture.charset}" if capture.charset else "")
    head = (
        f"HTTP/1.1 {capture.status}\r\nServer: nginx\r\nContent-Type: {kind}\r\n"
        f"Content-Length: {len(capture.body)}\r\nConnection: close\r\n\r\n"
    )
    digest = base64.b32encode(hashlib.sha1(capture.body, usedforsecurity=False).digest()).decode()
    extra = f"WARC-Payload-Digest: sha1:{digest}\r\n"
    return _record(
        "response", capture.url, capture.date, "application/http; msgtype=response", head.encode() + capture.body, extra
    )


def _record(kind: str, target: str, date: str, content_type: str, block: bytes, extra: str = "") -> bytes:
    name = uuid.uuid5(_SPACE, f"{kind} {target} {date} {hashlib.sha256(block).hexdigest()}")
    where = f"WARC-Filename: {target}\r\n" if kind == "warcinfo" else f"WARC-Target-URI: {target}\r\n"
    head = (
        f"WARC/1.1\r\nWARC-Type: {kind}\r\nWARC-Record-ID: <urn:uuid:{name}>\r\nWARC-Date: {date}\r\n{where}{extra}"
        f"Content-Type: {content_type}\r\nContent-Length: {len(block)}\r\n\r\n"
    )
    return head.encode() + block + b"\r\n\r\n"
