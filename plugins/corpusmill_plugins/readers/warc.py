"""read.warc: web pages out of WARC archives, as text in whatever encoding they were."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator

from corpusmill import Reader, Reject, Slice, option
from corpusmill_plugins.readers.charsets import codec_for, decode_page
from corpusmill_plugins.readers.http import BadMessage, Message, parse
from corpusmill_plugins.readers.lines import HEAD
from corpusmill_plugins.readers.records import DOCUMENT_TYPES, OTHER_TYPES, Record, records

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_BYTES = 4 << 20
SNIFF_BYTES = 1024
PAGE_TYPES = ("text/html", "application/xhtml+xml")


def _known(encoding: str) -> str:
    codec = "auto" if encoding == "auto" else codec_for(encoding)
    if codec is None:
        raise ValueError(f"{encoding!r} is no text encoding: say auto, utf-8, gb18030 or another codec of Python")
    return codec


class Warc(Reader):
    """Read the pages of WARC files, plain, gzip or zstd.

    Documents are the records of type response, resource and conversion whose media type is among `types`; all
    others (requests, images, redirections by `revisit`) are no documents and are passed over. A file that is cut or
    damaged raises CorruptFile: for gzip the checksum of each record is verified, for other files the digest of each
    record (WARC-Block-Digest, else WARC-Payload-Digest) where it has one. `text` is the page as the server sent it,
    decoded. `offset` is the record's place in the stored file where each gzip member holds one record, else in the
    decompressed stream.
    Reasons of rejection: too-large, undecodable, bad-http, bad-chunks, bad-content-encoding,
    unknown-content-encoding, block-digest, payload-digest, unknown-record-type.
    """

    version = 2  # the digest of the payload, and where records end
    suffixes = (".warc", ".warc.gz", ".warc.zst")
    depends = ("resiliparse",)

    class Options(Reader.Options):
        """Options of read.warc."""

        encoding: Annotated[str, AfterValidator(_known)] = option(
            "auto", help="encoding of the pages: auto, or a codec such as utf-8 or gb18030 for all of them"
        )
        types: list[str] = option(
            default_factory=lambda: list(PAGE_TYPES),
            help="media types that are documents; add text/plain for WET files",
        )
        max_undecodable: float = option(
            0.001, ge=0, le=1, unit="share", help="largest share of characters that may be replaced by U+FFFD"
        )

    def adds(self) -> dict[str, pa.DataType]:
        """Return text, url, date (as written), HTTP status (null without HTTP) and source (the URL)."""
        import pyarrow as pa

        text = pa.large_string()
        return {"text": text, "url": text, "date": text, "status": pa.int32(), "source": text}

    def read(self, part: Slice, reject: Reject) -> Iterator[pa.RecordBatch]:
        """Yield the pages of one file, about 4 MB a batch."""
        rows: list[dict[str, Any]] = []
        size = 0
        for record in records(part.file, part.limits):
            try:
                row = self._row(record, part.limits.max_document_bytes)
            except BadMessage as bad:
                raw = (record.head if record.block is None else record.block)[:HEAD]
                reject(raw, record.offset, bad.reason, bad.detail, length=record.length)
                continue
            if row is not None:
                rows.append(row)
                size += record.length
            if size >= BATCH_BYTES:
                yield self._batch(rows)
                rows, size = [], 0
        if rows:
            yield self._batch(rows)

    def _batch(self, rows: list[dict[str, Any]]) -> pa.RecordBatch:
        import pyarrow as pa

        schema = pa.schema([*self.adds().items(), ("offset", pa.int64())])
        arrays = [pa.array([row[field.name] for row in rows], type=field.type) for field in schema]
        return pa.RecordBatch.from_arrays(arrays, schema=schema)

    def _row(self, record: Record, limit: int) -> dict[str, Any] | None:
        """Return the document in a record, None if it is none; raises BadMessage for one that cannot be read."""
        if record.type in OTHER_TYPES:
            return None
        if record.type not in DOCUMENT_TYPES:
            raise BadMessage("unknown-record-type", record.type)
        if record.block is None:
            raise BadMessage("too-large", f"{record.length} bytes, at most {limit}")
        if digest := record.contradicted():
            raise BadMessage(digest.removeprefix("WARC-").lower(), f"the block differs from its {digest}")
        message = _message(record, record.block, limit)
        kind = message.headers.get("content-type", "")
        if not self._is_document(kind, message.body):
            return None
        text = decode_page(message.body, kind, self.options.encoding, self.options.max_undecodable)
        if text is None:
            raise BadMessage("undecodable", kind)
        url = record.headers.get("warc-target-uri", "").removeprefix("<").removesuffix(">")
        return {
            "text": text,
            "url": url or None,
            "date": record.headers.get("warc-date"),
            "status": message.status or None,
            "source": url or None,
            "offset": record.offset,
        }

    def _is_document(self, content_type: str, body: bytes) -> bool:
        kind = content_type.partition(";")[0].strip().lower()
        if kind:
            return kind in self.options.types
        start = body[:SNIFF_BYTES].lower()
        return any(page in self.options.types for page in PAGE_TYPES) and (
            b"<html" in start or b"<!doctype html" in start
        )


def _message(record: Record, block: bytes, limit: int) -> Message:
    """Return the HTTP response in a record; without HTTP inside, the block itself under the record's media type."""
    kind = record.headers.get("content-type", "")
    # By URL too: a response over HTTP holds HTTP, whatever a damaged or sloppy header says of it.
    url = record.headers.get("warc-target-uri", "").lstrip("<").lower()
    if kind.lower().startswith("application/http") or (record.type == "response" and url.startswith("http")):
        return parse(block, limit)
    return Message(0, {"content-type": kind}, block)
