"""read.warc: pages come out as text, with their place; other records do not."""

from __future__ import annotations

import base64
import gzip
import hashlib
import zlib
from pathlib import Path
from typing import Any

import pytest
import zstandard
from pydantic import ValidationError

from corpusmill import CorruptFile, ReadLimits
from corpusmill_plugins.readers.warc import Warc

PAGE = "<html><body>网页 déjà vu</body></html>"


def reader(**options: Any) -> Warc:
    return Warc(Warc.Options(paths="*", **options))


def record(block: bytes, kind: str = "response", media: str = "application/http", url: str = "http://a.org/") -> bytes:
    digest = base64.b32encode(hashlib.sha1(block, usedforsecurity=False).digest()).decode()
    head = f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Target-URI: {url}\r\nWARC-Date: 2024-01-02T03:04:05Z\r\n"
    head += f"WARC-Block-Digest: sha1:{digest}\r\nContent-Type: {media}\r\nContent-Length: {len(block)}\r\n\r\n"
    return head.encode() + block + b"\r\n\r\n"


def response(body: bytes, *headers: str, media: str = "text/html") -> bytes:
    return "\r\n".join(["HTTP/1.1 200 OK", f"Content-Type: {media}", *headers, "", ""]).encode() + body


def texts(put: Any, read_all: Any, *blocks: bytes, **options: Any) -> list[str]:
    outcome = read_all(reader(**options), put("a.warc", b"".join(map(record, blocks))))
    assert outcome.rejects == []
    return list(outcome.texts)


def test_a_page_has_its_url_date_status_and_place(put: Any, read_all: Any) -> None:
    """All columns of a response; requests, images and revisits are no documents."""
    first = (
        record(b"GET / HTTP/1.1\r\n\r\n", "request")
        + record(b"", "revisit")
        + record(response(b"png", media="image/png"))
    )
    outcome = read_all(reader(), put("a.warc", first + record(response(PAGE.encode()))))
    assert outcome.rejects == []
    assert outcome.rows == [
        {
            "text": PAGE,
            "url": "http://a.org/",
            "date": "2024-01-02T03:04:05Z",
            "status": 200,
            "source": "http://a.org/",
            "offset": len(first),
        }
    ]


def test_offsets_are_those_of_the_stored_records(put: Any, read_all: Any) -> None:
    """With one record a gzip member, a record can be fetched at its offset; else offsets count plain bytes."""
    pages = [record(response(f"<html>{number}</html>".encode())) for number in range(5)]
    members = [gzip.compress(page) for page in pages]
    apart = read_all(reader(), put("a.warc.gz", b"".join(members)))
    assert [row["offset"] for row in apart.rows] == [sum(map(len, members[:number])) for number in range(5)]
    for name, data in {
        "b.warc": b"".join(pages),
        "b.warc.gz": gzip.compress(b"".join(pages)),
        "b.warc.zst": zstandard.compress(b"".join(pages)),
    }.items():
        together = read_all(reader(), put(name, data))
        assert [row["offset"] for row in together.rows] == [sum(map(len, pages[:number])) for number in range(5)]
        assert together.texts == apart.texts


def test_mixed_gzip_members_are_refused(put: Any, read_all: Any) -> None:
    """Where some members hold one record and some several, offsets could collide: the file is refused."""
    page = record(response(PAGE.encode()))
    mixed = gzip.compress(page) + gzip.compress(page) + gzip.compress(page + page)
    with pytest.raises(CorruptFile, match="recompress"):
        read_all(reader(), put("a.warc.gz", mixed))


CHUNKED = b"5\r\n<html\r\n6;x=y\r\n>ab cd\r\n0\r\n\r\n"
DEFLATER = zlib.compressobj(wbits=-15)
RAW_DEFLATE = DEFLATER.compress(b"<html>ab cd") + DEFLATER.flush()


@pytest.mark.parametrize(
    "block",
    [
        response(CHUNKED, "Transfer-Encoding: chunked"),
        response(b"<html>ab cd", "Transfer-Encoding: chunked"),
        response(gzip.compress(b"<html>ab cd"), "Content-Encoding: gzip"),
        response(b"<html>ab cd", "Content-Encoding: gzip"),
        response(zlib.compress(b"<html>ab cd"), "Content-Encoding: deflate"),
        response(RAW_DEFLATE, "Content-Encoding: deflate"),
        response(zstandard.compress(b"<html>ab cd"), "Content-Encoding: zstd"),
        response(b"<html>ab cd", "Content-Encoding: br"),
        response(b"\x0b\x05\x80<html>ab cd\x03", "Content-Encoding: br"),
        response(
            b"%x\r\n" % len(gzip.compress(b"<html>ab cd")) + gzip.compress(b"<html>ab cd") + b"\r\n0\r\n\r\n",
            "Transfer-Encoding: chunked",
            "Content-Encoding: gzip",
        ),
    ],
    ids=[
        "chunked",
        "not-chunked",
        "gzip",
        "not-gzip",
        "deflate",
        "raw-deflate",
        "zstd",
        "not-br",
        "br",
        "chunked-gzip",
    ],
)
def test_transfer_and_content_encodings_are_undone(block: bytes, put: Any, read_all: Any) -> None:
    """Chunked, gzip, deflate, brotli and zstd bodies are decoded, and those that were stored decoded are taken so."""
    assert texts(put, read_all, block) == ["<html>ab cd"]


META = "<html><head><meta {}></head><body>{}</body></html>"


@pytest.mark.parametrize(
    ("codec", "media", "meta"),
    [
        ("gb18030", "text/html; charset=gb2312", ""),
        ("gbk", "text/html", 'charset="gb2312"'),
        ("gbk", "text/html; charset=utf-8", 'http-equiv="Content-Type" content="text/html; charset=gbk"'),
        ("gb18030", "text/html", ""),
        ("big5", "text/html; charset=Big5", ""),
        ("utf-8", "text/html; charset=ISO-8859-1", ""),
        ("utf-8", "text/html; charset=nonsense", 'charset="x-user-defined"'),
        ("utf-16", "text/html", ""),
        ("shift_jis", "text/html; charset=Shift_JIS", ""),
    ],
)
def test_the_encoding_of_a_page_is_found(codec: str, media: str, meta: str, put: Any, read_all: Any) -> None:
    """Header, meta, mark and content are asked in that order, and a label that cannot be true is passed over."""
    page = META.format(meta, "日本中文" * 20)
    assert texts(put, read_all, response(page.encode(codec), media=media)) == [page]


def test_a_given_encoding_overrules_the_page(put: Any, read_all: Any) -> None:
    """`encoding: gbk` reads all pages as GB18030, whatever they say."""
    block = response("网页€".encode("gb18030"), media="text/html; charset=utf-8")
    assert texts(put, read_all, block, encoding="gbk") == ["网页€"]


def test_an_unknown_encoding_is_an_error_of_the_spec() -> None:
    """Names of no encoding, and codecs that are none, are refused when options are checked."""
    for name in ("utf-99", "rot13", "zlib", "idna"):
        with pytest.raises(ValidationError, match="is no text encoding"):
            reader(encoding=name)


def test_a_page_may_name_no_hostile_codec(put: Any, read_all: Any) -> None:
    """`charset=idna` or `zlib` in a header is ignored, not run."""
    page = "<html>" + "Le déjà-vu de l'été dernier, à côté du café. " * 5
    for label in ("idna", "punycode", "zlib", "rot13", "unicode_escape", "utf-7"):
        assert texts(put, read_all, response(page.encode("latin-1"), media=f"text/html; charset={label}")) == [page]


def test_few_broken_bytes_are_replaced_and_many_reject_the_page(put: Any, read_all: Any) -> None:
    """A capture cut inside a character loses that character; a page that no encoding explains is rejected."""
    cut = "<html>" + "网页" * 50
    assert texts(put, read_all, response(cut.encode()[:-1], media="text/html; charset=utf-8")) == [cut[:-1]]
    noise = bytes(range(128, 256)) * 4 + b"\xff" * 200
    outcome = read_all(reader(encoding="utf-8"), put("b.warc", record(response(noise))))
    assert outcome.reasons == [(0, "undecodable")]


def test_bad_records_are_rejected_and_their_neighbours_kept(put: Any, read_all: Any) -> None:
    """Each kind of bad record goes to quarantine under its own reason."""
    good = record(response(b"<html>ok"))
    bad = {
        "bad-http": record(b"HTTQ/1.1 200 OK\r\n\r\n<html>"),
        "bad-chunks": record(response(b"5\r\n<html\r\nxx\r\n", "Transfer-Encoding: chunked")),
        "bad-content-encoding": record(response(gzip.compress(b"<html>" * 99)[:-9], "Content-Encoding: gzip")),
        "unknown-content-encoding": record(response(b"<html>", "Content-Encoding: sdch")),
        "too-large": record(response(b"<html>" + b"x" * 20_000)),
        "block-digest": record(response(b"<html>flip")).replace(b"flip", b"flop"),
        "unknown-record-type": record(response(b"<html>"), kind="resqonse"),
    }
    outcome = read_all(
        reader(),
        put("a.warc", good + b"".join(one + good for one in bad.values())),
        limits=ReadLimits(max_document_bytes=10_000),
    )
    assert outcome.texts == ["<html>ok"] * (len(bad) + 1)
    assert [reason for _, reason in outcome.reasons] == list(bad)


def with_payload_digest(body: bytes, *headers: str, digest_of: bytes) -> bytes:
    """A record whose payload alone has a digest."""
    stated = base64.b32encode(hashlib.sha1(digest_of, usedforsecurity=False).digest())
    start, _, rest = record(response(body, *headers)).partition(b"WARC-Block-Digest: sha1:")
    return start + b"WARC-Payload-Digest: sha1:" + stated + rest[len(stated) :]


def test_the_digest_of_the_payload_counts_where_there_is_no_other(put: Any, read_all: Any) -> None:
    """Taken with or without chunks, as crawlers do; a payload that is neither goes to quarantine."""
    chunked = "Transfer-Encoding: chunked"
    records = [
        with_payload_digest(b"<html>one", digest_of=b"<html>one"),
        with_payload_digest(CHUNKED, chunked, digest_of=CHUNKED),
        with_payload_digest(CHUNKED, chunked, digest_of=b"<html>ab cd"),
        with_payload_digest(b"<html>two", digest_of=b"<html>twp"),
        with_payload_digest(b"<html>cut", digest_of=b"<html>cut off").replace(
            b"WARC-Date", b"WARC-Truncated: length\r\nX"
        ),
    ]
    outcome = read_all(reader(), put("a.warc", b"".join(records)))
    assert outcome.texts == ["<html>one", "<html>ab cd", "<html>ab cd", "<html>cut"]
    assert outcome.reasons == [(sum(map(len, records[:3])), "payload-digest")]
    assert len(read_all(reader(), put("b.warc.gz", b"".join(map(gzip.compress, records)))).rows) == 5


@pytest.mark.parametrize("change", [-3, -1, 1, 2, 3, 4])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_length_that_is_wrong_by_a_few_bytes_is_damage(change: int, place: int, put: Any, read_all: Any) -> None:
    """Blank lines between records are no slack: where they are not as many as elsewhere, a length was changed."""
    block = response(b"<html>page</html>\n")
    whole = [record(block).replace(b"WARC-Block-Digest", b"X-None") for _ in range(4)]
    told = f"Content-Length: {len(block)}".encode()
    whole[place] = whole[place].replace(told, f"Content-Length: {len(block) + change}".encode())
    with pytest.raises(CorruptFile):
        read_all(reader(), put("a.warc", b"".join(whole)))


def test_archives_with_other_line_ends_are_read(put: Any, read_all: Any) -> None:
    """One newline after each record, or none after the last, as some writers leave them."""
    pages = [record(response(f"<html>{number}".encode())) for number in range(3)]
    for end in (b"\r\n", b"\n\n", b""):
        data = b"".join(page.removesuffix(b"\r\n\r\n") + end for page in pages)
        assert len(read_all(reader(), put("a.warc", data)).rows) == 3
    assert len(read_all(reader(), put("b.warc", b"".join(pages).rstrip())).rows) == 3


def test_a_small_page_that_inflates_beyond_the_limit_is_rejected(put: Any, read_all: Any) -> None:
    """A content-encoding bomb is stopped at the document limit."""
    block = response(gzip.compress(b"x" * 50_000_000), "Content-Encoding: gzip")
    assert read_all(reader(), put("a.warc", record(block))).reasons == [(0, "too-large")]


def test_wet_files_are_read_as_plain_text(put: Any, read_all: Any) -> None:
    """`conversion` records with text/plain are documents when `types` says so."""
    data = record("纯文本".encode(), "conversion", "text/plain")
    outcome = read_all(reader(types=["text/plain"]), put("a.warc", data))
    assert [(row["text"], row["status"]) for row in outcome.rows] == [("纯文本", None)]


def test_an_arc_file_is_named_as_such(put: Any, read_all: Any) -> None:
    """The format before WARC is refused with its name."""
    with pytest.raises(CorruptFile, match="ARC, not WARC"):
        read_all(reader(), put("a.warc", b"filedesc://a.arc 1.2.3.4 2014 text/plain 1\n"))


@pytest.mark.parametrize(
    "path",
    [
        "dolma-cc-warc-jsonl/warc/sample-0000.warc.gz",
        "dolma-cc-warc-jsonl/warc/sample-0001.warc.gz",
        "cc-whirlwind-warc-wet-wat/whirlwind.warc.gz",
        "warcio-testdata/example-iana.org-chunked.warc",
        "warcio-testdata/example-bad-non-chunked.warc.gz",
        "warcio-testdata/example-wget-bad-target-uri.warc.gz",
        "warcio-testdata/example-wrong-chunks.warc.gz",
    ],
)
def test_real_archives_give_the_pages_that_fastwarc_finds(path: str, real_data: Path, put: Any, read_all: Any) -> None:
    """Of intact archives, Common Crawl's and warcio's odd ones, the same pages come out as from FastWARC."""
    fastwarc = pytest.importorskip("fastwarc.warc")
    source = real_data / "a_web" / path
    expected = []
    for one in fastwarc.ArchiveIterator(source.open("rb"), record_types=fastwarc.response):
        if (one.http_content_type or "").lower() in ("text/html", "application/xhtml+xml"):
            expected.append((one.headers["WARC-Target-URI"].strip("<>"), one.http_headers.status_code))
    outcome = read_all(reader(), put(source.name, source.read_bytes()))
    assert expected
    assert ([(row["url"], row["status"]) for row in outcome.rows], outcome.rejects) == (expected, [])


def test_a_real_truncated_archive_is_an_error(real_data: Path, put: Any, read_all: Any) -> None:
    """warcio's example-trunc.warc, which other readers end without a word, is reported."""
    source = real_data / "a_web/warcio-testdata/example-trunc.warc"
    with pytest.raises(CorruptFile):
        read_all(reader(), put(source.name, source.read_bytes()))
