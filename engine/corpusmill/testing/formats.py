"""Files that readers are tried on, by the endings they declare, and ways to read back what writers write."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from corpusmill.testing.corpus import ORDINARY, UNICODE

_TEXTS = (*ORDINARY, *UNICODE[:6], *ORDINARY[5:12])


def sample_files(operator: Any, folder: Path) -> list[Path]:
    """Return the sample files for a reader, made when missing: of the first of its `suffixes` that is known."""
    suffix = next((one for one in operator.suffixes if one in _MAKERS), None)
    if suffix is None:
        return []
    path = folder / f"sample{suffix}"
    if not path.is_file():
        path.write_bytes(_MAKERS[suffix]())
    return [path]


def damaged(path: Path) -> Iterator[tuple[str, bytes, bool]]:
    """Yield (what was done, bytes, whether only one line was hurt) for a file."""
    data = path.read_bytes()
    if path.suffix in _LINES:
        lines = data.split(b"\n")
        middle = next(at for at in range(len(lines) // 2, len(lines)) if lines[at].strip())
        lines[middle] = b'{"text": "\xff\xfe\x00broken'
        yield "one line replaced by broken bytes", b"\n".join(lines), True
    yield "cut in half", data[: len(data) // 2], False
    third = len(data) // 3
    yield "64 bytes overwritten", data[:third] + b"\xff\x00" * 32 + data[third + 64 :], False
    yield "emptied", b"", False


def decoder(suffix: str) -> Callable[[bytes], list[dict[str, Any]]] | None:
    """Return what reads a written file back into rows, None for an ending that is not known."""
    return _DECODERS.get(suffix)


def _jsonl() -> bytes:
    rows = [{"id": f"{row:04d}", "text": text, "label": "ab"[row % 2]} for row, text in enumerate(_TEXTS)]
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def _text() -> bytes:
    return "".join(" ".join(text.split()) + "\n\n" for text in _TEXTS).encode()


def _table(dialect: str) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, dialect)
    writer.writerow(["id", "text", "label"])
    writer.writerows([f"{row:04d}", " ".join(text.split()), "ab"[row % 2]] for row, text in enumerate(_TEXTS))
    return out.getvalue().encode()


def _parquet() -> bytes:
    import pyarrow.parquet as pq

    out = io.BytesIO()
    columns = {"id": [f"{row:04d}" for row in range(len(_TEXTS))], "text": list(_TEXTS)}
    pq.write_table(pa.table(columns), out, row_group_size=8, write_page_checksum=True)
    return out.getvalue()


def _warc() -> bytes:
    return b"".join(_page(row, text) for row, text in enumerate(_TEXTS))


def _page(row: int, text: str) -> bytes:
    body = f"<html><head><meta charset=utf-8></head><body><p>{' '.join(text.split())}</p></body></html>".encode()
    message = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: %d\r\n\r\n" % len(body)
    head = (
        "WARC/1.0\r\nWARC-Type: response\r\n"
        f"WARC-Record-ID: <urn:uuid:00000000-0000-4000-8000-{row:012d}>\r\n"
        f"WARC-Target-URI: https://example.org/{row}\r\nWARC-Date: 2026-01-01T00:00:00Z\r\n"
        f"Content-Type: application/http; msgtype=response\r\nContent-Length: {len(message) + len(body)}\r\n\r\n"
    )
    return head.encode() + message + body + b"\r\n\r\n"


def _read_jsonl(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in data.decode().split("\n") if line]


def _read_zstd(data: bytes) -> bytes:
    return bytes(pa.CompressedInputStream(pa.BufferReader(data), "zstd").read())


def _read_parquet(data: bytes) -> list[dict[str, Any]]:
    import pyarrow.parquet as pq

    rows: list[dict[str, Any]] = pq.read_table(io.BytesIO(data)).to_pylist()
    return rows


def _read_csv(data: bytes) -> list[dict[str, Any]]:
    return list(csv.DictReader(io.StringIO(data.decode(), newline="")))


_LINES = (".jsonl", ".ndjson", ".json", ".txt", ".text", ".csv", ".tsv")
_MAKERS: dict[str, Callable[[], bytes]] = {
    ".jsonl": _jsonl,
    ".ndjson": _jsonl,
    ".json": _jsonl,
    ".parquet": _parquet,
    ".warc": _warc,
    ".txt": _text,
    ".text": _text,
    ".csv": lambda: _table("excel"),
    ".tsv": lambda: _table("excel-tab"),
    ".jsonl.gz": lambda: gzip.compress(_jsonl(), mtime=0),
}
_DECODERS: dict[str, Callable[[bytes], list[dict[str, Any]]]] = {
    ".jsonl": _read_jsonl,
    ".jsonl.gz": lambda data: _read_jsonl(gzip.decompress(data)),
    ".jsonl.zst": lambda data: _read_jsonl(_read_zstd(data)),
    ".parquet": _read_parquet,
    ".csv": _read_csv,
}
