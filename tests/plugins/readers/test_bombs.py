"""Decompression bombs: small files that would become large ones end as damaged files, in little memory."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from corpusmill import CorruptFile, ReadLimits
from corpusmill_plugins.readers.jsonl import Jsonl
from corpusmill_plugins.readers.parquet import Parquet
from corpusmill_plugins.readers.text import Text

MB = 1_000_000


def gzip_bomb() -> bytes:
    """300 MB of blanks as many members, so that they are cheap to make; one reads like the other."""
    return gzip.compress(b" " * (3 * MB), mtime=0) * 100


def zstd_bomb() -> bytes:
    """3 GB of blanks in 100 KB."""
    return zstandard.ZstdCompressor(level=1).compress(b" " * (30 * MB)) * 100


def written(table: pa.Table, **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


def page_bomb() -> bytes:
    """80 MB of one letter, a page of 3 KB."""
    return written(pa.table({"text": ["x" * (80 * MB)]}), compression="zstd", use_dictionary=False)


def dictionary_bomb() -> bytes:
    """A text of 900 KB, and two hundred thousand references to it: 180 GB, of which the footer tells 1 MB."""
    indices = pa.array([0], pa.int32()).take(pa.array([0] * 200_000, pa.int32()))
    text = pa.DictionaryArray.from_arrays(indices, pa.array(["x" * 900_000]))
    return written(pa.table({"text": text}), compression="zstd")


def prefix_bomb() -> bytes:
    """150 MB of texts that share all but their ends."""
    texts = ["x" * 100_000 + str(number % 10) for number in range(1_500)]
    return written(
        pa.table({"text": texts}),
        compression="zstd",
        use_dictionary=False,
        column_encoding={"text": "DELTA_BYTE_ARRAY"},
    )


def lying_footer() -> bytes:
    """The page bomb, whose footer says that its column holds a few bytes."""
    data = page_bomb()
    size = pq.ParquetFile(io.BytesIO(data)).metadata.row_group(0).column(0).total_uncompressed_size
    honest, lie = zigzag(size), zigzag(100)
    padded = lie[:-1] + bytes([lie[-1] | 0x80]) + b"\x80" * (len(honest) - len(lie) - 1) + b"\x00"
    start = data.rindex(b"text")  # in the footer, behind the page's own header
    assert data[start:].count(honest) >= 2
    return data[:start] + data[start:].replace(honest, padded)


def zigzag(value: int) -> bytes:
    """Return a number as Thrift's compact protocol writes it."""
    value, out = value << 1, bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


BOMBS: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "gzip": ("a.jsonl.gz", gzip_bomb, "expands more than 1,000:1, the limit max_expansion"),
    "zstd": ("a.jsonl.zst", zstd_bomb, "expands more than 1,000:1, the limit max_expansion"),
    "text": ("a.txt.zst", zstd_bomb, "expands more than 1,000:1, the limit max_expansion"),
    "page": ("a.parquet", page_bomb, "expands more than 1,000:1, the limit max_expansion"),
    "lie": ("a.parquet", lying_footer, "row group 0 expands more than 1,000:1, the limit max_expansion"),
    "dictionary": ("a.parquet", dictionary_bomb, "row group 0 expands more than 1,000:1, the limit max_expansion"),
    "prefix": ("a.parquet", prefix_bomb, "row group 0 expands more than 1,000:1, the limit max_expansion"),
}

CHILD = """
import json, sys
sys.path.insert(0, {here!r})
from pathlib import Path
from conftest import LocalFile, Outcome
import pyarrow.parquet, numpy, orjson
from corpusmill import CorruptFile, Slice
from corpusmill_plugins.readers.jsonl import Jsonl
from corpusmill_plugins.readers.parquet import Parquet
from corpusmill_plugins.readers.text import Text
path = Path(sys.argv[1])
kind = Jsonl if ".jsonl" in path.name else Text if ".txt" in path.name else Parquet
reader, outcome, file = kind(kind.Options(paths="*")), Outcome(), LocalFile(path, path.name)
def peak():
    line = next(one for one in open("/proc/self/status") if one.startswith("VmHWM"))
    return int(line.split()[1])
before = peak()
said, rows = "", 0
try:
    reader.prepare([file])
    for start, stop in reader.ranges(file):
        for batch in reader.read(Slice(file, start, stop), outcome.reject):
            rows += batch.num_rows
except CorruptFile as error:
    said = [error.reason, error.limit]
print(json.dumps([said, (peak() - before) // 1024]))
"""


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_refused_in_little_memory(bomb: str, tmp_path: Path) -> None:
    """The error names ratio and limit; memory never grows to what the bomb would become."""
    name, make, reason = BOMBS[bomb]
    (tmp_path / name).write_bytes(make())
    child = CHILD.format(here=str(Path(__file__).parent))
    ended = subprocess.run([sys.executable, "-c", child, str(tmp_path / name)], capture_output=True, check=True)
    (said, limit), grown = json.loads(ended.stdout)
    assert said.startswith(reason)
    assert limit == "max_expansion"
    assert grown < 400, "MB of resident memory beyond the imports"


@pytest.mark.parametrize(("suffix", "pack"), [("gz", gzip.compress), ("zst", zstandard.compress)])
def test_the_absolute_limit_counts_without_grace(suffix: str, pack: Any, put: Any, read_all: Any) -> None:
    """A compressed file that holds more than `max_expanded_bytes` is refused; one that holds as much is not."""
    line = b'{"text": "abc"}\n'
    limits = ReadLimits(max_expanded_bytes=len(line) * 100)
    file = put(f"a.jsonl.{suffix}", pack(line * 100))
    assert len(read_all(Jsonl(Jsonl.Options(paths="*")), file, limits=limits).rows) == 100
    with pytest.raises(CorruptFile, match="holds more than 1,600 bytes, the limit max_expanded_bytes") as caught:
        read_all(Jsonl(Jsonl.Options(paths="*")), put(f"b.jsonl.{suffix}", pack(line * 101)), limits=limits)
    assert caught.value.limit == "max_expanded_bytes"


def test_the_absolute_limit_holds_for_parquet(put: Any, read_all: Any) -> None:
    """What the footer says, or what comes out, whichever is more."""
    file = put("a.parquet", written(pa.table({"text": ["word " * 100] * 500})))
    with pytest.raises(CorruptFile, match="holds more than 100,000 bytes"):
        read_all(Parquet(Parquet.Options(paths="*")), file, limits=ReadLimits(max_expanded_bytes=100_000))
    limits = ReadLimits(max_expanded_bytes=None)
    assert len(read_all(Parquet(Parquet.Options(paths="*")), file, limits=limits).rows) == 500


def test_repetitive_tables_are_no_bombs(put: Any, read_all: Any) -> None:
    """A constant column beside real text, long texts, nulls and small pages are read as they were written."""
    texts = [f"document {number} " + "with words " * (number % 40) for number in range(20_000)]
    table = pa.table({"text": texts, "language": ["en"] * len(texts), "empty": pa.nulls(len(texts), pa.string())})
    data = written(table, compression="zstd", data_page_size=2_000, row_group_size=7_000)
    outcome = read_all(Parquet(Parquet.Options(paths="*", columns="all")), put("a.parquet", data))
    assert outcome.texts == texts


@pytest.mark.parametrize("name", ["bzip2", "xz", "zip"])
def test_what_is_packed_in_other_ways_is_named(name: str, put: Any, read_all: Any) -> None:
    """A file that is a bzip2, xz or zip archive is no text, whatever its name: it is refused with what to do."""
    import bz2
    import lzma
    import zipfile

    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr("../../a.txt", b"text")
    data = {"bzip2": bz2.compress(b"text"), "xz": lzma.compress(b"text"), "zip": sink.getvalue()}[name]
    with pytest.raises(CorruptFile, match=f"{name} is not read: unpack it"):
        read_all(Text(Text.Options(paths="*")), put("a.txt", data))


FOOTERS = """
import io, sys
import pyarrow as pa, pyarrow.parquet as pq
sys.path.insert(0, {folder!r})
from mutated_inputs import FORMATS, Format, outcome, read
sink = io.BytesIO()
pq.write_table(pa.table({{"text": ["one", None, "three"]}}), sink)
data = sink.getvalue()
file = Format("small", "a.parquet", lambda: data, "parquet:Parquet")
whole, _ = read(file, data)
for place in range(len(data) - 8 - int.from_bytes(data[-8:-4], "little"), len(data)):
    changed = bytearray(data)
    changed[place] ^= 1 << {bit}
    outcome(file, whole, bytes(changed))
print("alive")
"""


def test_no_bit_of_a_footer_ends_the_process(repository: Path) -> None:
    """Each byte of a footer changed: an error or rows; `metadata.row_group(0).column(0)` ends the process for some."""
    folder = str(repository / "benchmarks" / "reliability")
    program = FOOTERS.format(folder=folder, bit=0)
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, "alive\n"), ended.stderr
