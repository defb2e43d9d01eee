"""Damage: a file that was cut or changed gives its exact rows or an error, never fewer rows without a word."""

from __future__ import annotations

import gzip
import io
import random
from collections.abc import Callable
from typing import IO, Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from corpusmill import CorruptFile, Reader, ReadLimits
from corpusmill_plugins.readers.jsonl import Jsonl
from corpusmill_plugins.readers.parquet import Parquet
from corpusmill_plugins.readers.text import Text
from corpusmill_plugins.readers.warc import Warc

WORDS = random.Random(7)
TEXTS = [" ".join(str(WORDS.random()) for _ in range(WORDS.randrange(1, 30))) for _ in range(300)]
LINES = b"".join(orjson.dumps({"text": text}) + b"\n" for text in TEXTS)


def jsonl_members() -> bytes:
    lines = LINES.splitlines(keepends=True)
    return b"".join(gzip.compress(b"".join(lines[at : at + 50])) for at in range(0, len(lines), 50))


def zstd_frames() -> bytes:
    packer = zstandard.ZstdCompressor(write_checksum=True)
    return packer.compress(LINES[:9000]) + packer.compress(LINES[9000:])


def warc(pack: Callable[[bytes], bytes]) -> bytes:
    import base64
    import hashlib

    members = []
    for number, text in enumerate(TEXTS[:60]):
        block = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>" + text.encode()
        digest = base64.b32encode(hashlib.sha1(block, usedforsecurity=False).digest()).decode()
        head = f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://a.org/{number}\r\n"
        head += f"WARC-Block-Digest: sha1:{digest}\r\nContent-Type: application/http; msgtype=response\r\n"
        members.append(pack(f"{head}Content-Length: {len(block)}\r\n\r\n".encode() + block + b"\r\n\r\n"))
    return b"".join(members)


def parquet() -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table({"text": TEXTS}), sink, row_group_size=100, write_page_checksum=True, compression="zstd")
    return sink.getvalue()


CASES: dict[str, tuple[str, Callable[[], bytes], type[Reader]]] = {
    "jsonl-gz": ("a.jsonl.gz", lambda: gzip.compress(LINES), Jsonl),
    "jsonl-gz-members": ("a.jsonl.gz", jsonl_members, Jsonl),
    "jsonl-zst": ("a.jsonl.zst", lambda: zstandard.ZstdCompressor(write_checksum=True).compress(LINES), Jsonl),
    "jsonl-zst-frames": ("a.jsonl.zst", zstd_frames, Jsonl),
    "text-gz": ("a.txt.gz", lambda: gzip.compress("\n".join(TEXTS).encode()), Text),
    "warc-gz": ("a.warc.gz", lambda: warc(gzip.compress), Warc),
    "warc": ("a.warc", lambda: warc(bytes), Warc),
    "parquet": ("a.parquet", parquet, Parquet),
}
BOUNDARIES = {"jsonl-gz-members", "jsonl-zst-frames", "warc-gz", "warc"}
"""Cut exactly between two members or records, such a file is a shorter intact one: nobody can tell."""


def outcome_of(case: str, data: bytes, put: Any, read_all: Any) -> Any:
    """Return the outcome, or None if the file was reported as damaged."""
    name, _, kind = CASES[case]
    extra = {"document": "line"} if kind is Text else {}
    try:
        return read_all(kind(kind.Options(paths="*", **extra)), put(name, data))
    except CorruptFile:
        return None


@pytest.mark.parametrize("case", CASES)
def test_truncation_anywhere_is_reported(case: str, put: Any, read_all: Any) -> None:
    """Cut in many places and at the last bytes: an error, or every row that the intact file has."""
    data = CASES[case][1]()
    rows = outcome_of(case, data, put, read_all).rows
    assert len(rows) in (60, 300)
    cuts = {len(data) * percent // 100 for percent in range(0, 100, 4)} | {len(data) - back for back in range(1, 13)}
    for cut in sorted(cuts - {0} if case == "warc" else cuts):
        outcome = outcome_of(case, data[:cut], put, read_all)
        assert outcome is None or outcome.rows == rows or ends_on_boundary(case, data, cut), f"cut at {cut}"


def ends_on_boundary(case: str, data: bytes, cut: int) -> bool:
    """Return whether the cut left whole members or records and nothing more."""
    if case not in BOUNDARIES:
        return False
    starts = {"warc": b"WARC/1.0\r\n", "jsonl-zst-frames": b"\x28\xb5\x2f\xfd"}.get(case, b"\x1f\x8b\x08")
    return data[cut:].lstrip(b"\r\n").startswith(starts)


@pytest.mark.parametrize("case", CASES)
def test_a_flipped_bit_never_loses_a_row_silently(case: str, put: Any, read_all: Any) -> None:
    """One bit changed in many places: an error, the exact rows, or (plain WARC) the record in quarantine."""
    data = CASES[case][1]()
    rows = outcome_of(case, data, put, read_all).rows
    chooser = random.Random(case)
    reported = 0
    for percent in range(0, 100, 4):
        place = min(len(data) - 1, len(data) * percent // 100 + chooser.randrange(len(data) // 100))
        broken = bytearray(data)
        broken[place] ^= 1 << chooser.randrange(8)
        outcome = outcome_of(case, bytes(broken), put, read_all)
        if outcome is None:
            reported += 1
            continue
        assert len(outcome.rows) + len(outcome.rejects) >= len(rows), f"byte {place}"
        assert {row["text"] for row in outcome.rows} <= {row["text"] for row in rows}, f"byte {place}"
        reported += bool(outcome.rejects)
    assert reported > 10


@pytest.mark.parametrize("case", ["jsonl-gz", "jsonl-zst", "warc-gz"])
def test_garbage_after_the_data_is_reported(case: str, put: Any, read_all: Any) -> None:
    """Bytes that are no further member or frame are damage."""
    assert outcome_of(case, CASES[case][1]() + b"garbage", put, read_all) is None


@pytest.mark.parametrize("case", ["jsonl-gz", "text-gz", "warc-gz"])
def test_padding_after_gzip_is_allowed(case: str, put: Any, read_all: Any) -> None:
    """NUL bytes after the last member are what tapes and block devices leave; gzip ignores them too."""
    data = CASES[case][1]()
    assert outcome_of(case, data + b"\0" * 100_000, put, read_all).rows == outcome_of(case, data, put, read_all).rows


@pytest.mark.parametrize(("suffix", "pack"), [("gz", gzip.compress), ("zst", zstandard.compress)])
def test_a_bomb_is_stopped_after_the_grace(
    suffix: str, pack: Callable[[bytes], bytes], put: Any, read_all: Any
) -> None:
    """Output far beyond the stored size ends the reading, soon after the first 64 MB."""
    bomb = put(f"a.jsonl.{suffix}", pack(b" " * 120_000_000))
    with pytest.raises(CorruptFile, match="expands more than 100:1"):
        read_all(Jsonl(Jsonl.Options(paths="*")), bomb, limits=ReadLimits(max_expansion=100))


@pytest.mark.parametrize("suffix", ["gz", "zst"])
def test_a_plain_file_with_a_compressed_name_is_reported(suffix: str, put: Any, read_all: Any) -> None:
    """A name that promises a compression which the bytes do not keep is damage, and so is no byte at all."""
    for data in (LINES, b""):
        with pytest.raises(CorruptFile):
            read_all(Jsonl(Jsonl.Options(paths="*")), put(f"a.jsonl.{suffix}", data))


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_compression_is_known_by_its_first_bytes_too(pack: Callable[[bytes], bytes], put: Any, read_all: Any) -> None:
    """A compressed file under a plain name is decompressed."""
    assert read_all(Jsonl(Jsonl.Options(paths="*")), put("a.jsonl", pack(LINES))).texts == TEXTS


class FailingFile:
    """An input file on a disk that breaks after some bytes."""

    def __init__(self, data: bytes, name: str, good: int):
        self.name, self.size, self._data, self._good = name, len(data), data, good

    def open(self) -> IO[bytes]:
        good = self._good

        class Handle(io.BytesIO):
            def read(self, size: int | None = -1) -> bytes:
                if self.tell() >= good:
                    raise OSError(5, "Input/output error")
                return super().read(size)

        return Handle(self._data)


@pytest.mark.parametrize("case", ["jsonl-gz", "jsonl-zst", "warc", "parquet"])
def test_a_broken_disk_is_no_damaged_file(case: str, read_all: Any) -> None:
    """An error of the storage is passed on as it is: it must not put a good file into quarantine."""
    name, make, kind = CASES[case]
    data = make()
    good = len(data) if case == "parquet" else 5
    file = FailingFile(data, name, good)
    if case == "parquet":
        file._good = 0
    with pytest.raises(OSError, match="Input/output error"):
        read_all(kind(kind.Options(paths="*")), file)
