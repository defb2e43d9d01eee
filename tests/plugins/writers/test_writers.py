"""Writers: the same rows give the same bytes, what is written can be read, and the card says what is there."""

from __future__ import annotations

import datetime
import decimal
import gzip
import io
import random
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
import zstandard

from corpusmill import Writer
from corpusmill_plugins.writers import parquet as parquet_module
from corpusmill_plugins.writers.jsonl import Jsonl
from corpusmill_plugins.writers.parquet import Parquet

CHOICE = random.Random(3)
TABLE = pa.table(
    {
        "id": pa.array([f"{number:032x}" for number in range(3000)]),
        "text": pa.array(
            [None if number % 97 == 0 else "词 word " * CHOICE.randrange(40) for number in range(3000)],
            pa.large_string(),
        ),
        "score": pa.array([number / 7 for number in range(3000)]),
        "tags": pa.array([["x"] * (number % 3) for number in range(3000)], pa.large_list(pa.large_string())),
    }
)
FACTS = {
    "name": "books: and | more",
    "digest": "abc123",
    "splits": {"train": {"rows": 900, "files": 2, "bytes": 5000}, "held-out": {"rows": 100, "files": 1, "bytes": 70}},
    "columns": {"id": "string", "text": "large_string"},
    "sources": ["data/<b>.txt"],
}


def encoded(writer: Writer, table: pa.Table, rows: int = 1000) -> bytes:
    sink = io.BytesIO()
    writer.encode(table.schema, table.combine_chunks().to_batches(max_chunksize=rows), sink)
    return sink.getvalue()


def parquet(**options: Any) -> Parquet:
    return Parquet(Parquet.Options(path="out", **options))


def jsonl(**options: Any) -> Jsonl:
    return Jsonl(Jsonl.Options(path="out", **options))


WRITERS = [parquet(), parquet(compression="none"), jsonl(), jsonl(compression="gzip"), jsonl(compression="zstd")]


@pytest.mark.parametrize("writer", WRITERS, ids=lambda writer: writer.suffix)
def test_bytes_do_not_depend_on_the_batches(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same rows in batches of 1, 7 or all at once give the same file, also over several row groups."""
    monkeypatch.setattr(parquet_module, "GROUP_BYTES", 60_000)
    files = {encoded(writer, TABLE, rows) for rows in (1, 7, 1000, 3000)}
    assert len(files) == 1


def test_parquet_gives_the_rows_back_with_common_types() -> None:
    """Rows survive; strings and lists have 32-bit offsets; pages carry checksums."""
    data = encoded(parquet(), TABLE)
    back = pq.read_table(io.BytesIO(data), page_checksum_verification=True)
    assert back.to_pylist() == TABLE.to_pylist()
    assert back.schema.field("text").type == pa.string()
    assert back.schema.field("tags").type == pa.list_(pa.string())


def test_a_flipped_bit_in_written_parquet_is_found() -> None:
    """Pages are written with checksums: a reader that looks at them notices one changed bit."""
    data = bytearray(encoded(parquet(compression="none"), TABLE))
    data[len(data) // 2] ^= 1
    with pytest.raises(OSError, match="CRC"):
        pq.read_table(io.BytesIO(bytes(data)), page_checksum_verification=True)


def test_row_groups_are_bounded_by_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row group ends with the row that fills it."""
    monkeypatch.setattr(parquet_module, "GROUP_BYTES", 1000)
    table = pa.table({"text": pa.array(["x" * 400] * 10, pa.large_string())})
    metadata = pq.read_metadata(io.BytesIO(encoded(parquet(), table)))
    assert [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)] == [3, 3, 3, 1]


def test_a_file_without_rows_has_its_columns() -> None:
    """Zero rows give an intact Parquet file with the schema, and an empty JSONL file."""
    assert pq.read_table(io.BytesIO(encoded(parquet(), TABLE.slice(0, 0)))).schema.names == TABLE.schema.names
    assert encoded(jsonl(), TABLE.slice(0, 0)) == b""


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
def test_jsonl_gives_the_rows_back(compression: str) -> None:
    """Rows survive every compression, and independent tools decompress it."""
    unpack = {
        "none": bytes,
        "gzip": gzip.decompress,
        "zstd": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
    }
    plain = unpack[compression](encoded(jsonl(compression=compression), TABLE))
    assert [orjson.loads(line) for line in plain.splitlines()] == TABLE.to_pylist()


def test_written_zstd_carries_a_checksum() -> None:
    """The frame says that a checksum follows, and a wrong one is refused by the reference library."""
    data = encoded(jsonl(compression="zstd"), TABLE)
    assert zstandard.get_frame_parameters(data).has_checksum
    with pytest.raises(zstandard.ZstdError, match="checksum"):
        zstandard.ZstdDecompressor().decompressobj().decompress(data[:-1] + bytes([data[-1] ^ 1]))


def test_written_gzip_says_nothing_of_time_or_name() -> None:
    """The gzip header has no time stamp and no flags, so equal content is equal bytes."""
    assert encoded(jsonl(compression="gzip"), TABLE)[3:8] == b"\0" * 5


def test_values_json_does_not_know_become_text() -> None:
    """Bytes are base64, times ISO text, decimals text, structs objects, NaN null."""
    table = pa.table(
        {
            "raw": pa.array([b"\x00\xff"]),
            "nested": pa.array([{"b": [b"x"]}]),
            "time": pa.array([1_700_000_000_123_456_789], pa.timestamp("ns", "UTC")),
            "day": pa.array([datetime.date(2024, 2, 29)]),
            "money": pa.array([decimal.Decimal("1.10")]),
            "number": pa.array([float("nan")]),
        }
    )
    assert orjson.loads(encoded(jsonl(), table)) == {
        "raw": "AP8=",
        "nested": {"b": ["eA=="]},
        "time": "2023-11-14 22:13:20.123456789Z",
        "day": "2024-02-29",
        "money": "1.10",
        "number": None,
    }


@pytest.mark.parametrize("writer", WRITERS[1:], ids=lambda writer: writer.suffix)
def test_the_card_names_splits_and_files(writer: Writer) -> None:
    """The YAML of the card maps each split to its files; text from outside is no markup."""
    card = writer.card(FACTS)["README.md"].decode()
    head = yaml.safe_load(card.split("---\n")[1])
    assert head["pretty_name"] == "books: and | more"
    assert head["size_categories"] == ["1K<n<10K"]
    assert head["configs"][0]["data_files"] == [
        {"split": "train", "path": f"data/train-*{writer.suffix}"},
        {"split": "held_out", "path": f"data/held-out-*{writer.suffix}"},
    ]
    assert "<b>" not in card
    assert "| train | 900 | 2 | 5,000 |" in card


def test_the_published_folder_is_a_dataset(tmp_path: Path) -> None:
    """`datasets.load_dataset(folder)` gives the splits and rows."""
    datasets = pytest.importorskip("datasets")
    (tmp_path / "out" / "data").mkdir(parents=True)
    for label in FACTS["splits"]:  # type: ignore[attr-defined]
        (tmp_path / "out" / "data" / f"{label}-00000-of-00001.parquet").write_bytes(
            encoded(parquet(), TABLE.slice(0, 10))
        )
    (tmp_path / "out" / "README.md").write_bytes(parquet().card(FACTS)["README.md"])
    loaded = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert {name: len(split) for name, split in loaded.items()} == {"train": 10, "held_out": 10}
    assert loaded["train"][1]["text"] == TABLE["text"][1].as_py()


def test_a_folder_with_odd_splits_is_a_dataset(tmp_path: Path) -> None:
    """A label with a hyphen is found under its file's name, a split without rows and a column of nulls do no harm."""
    datasets = pytest.importorskip("datasets")
    columns = {"id": "string", "n": "int64", "tags": "large_list<item: large_string>", "when": "timestamp[us]"}
    rows = {"train": [{"id": "a", "n": None, "tags": None, "when": None}], "hard-cases": [], "test": []}
    rows["test"] = [{"id": "b", "n": 5, "tags": ["x"], "when": "2024-02-29 00:00:00"}]
    names = {label: f"data/{label.replace('-', '_')}-00000-of-00001.jsonl" for label in rows}
    (tmp_path / "out" / "data").mkdir(parents=True)
    for label, lines in rows.items():
        (tmp_path / "out" / names[label]).write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
    splits = {label: {"rows": len(lines), "files": 1, "bytes": 9} for label, lines in rows.items()}
    files = [{"name": name, "split": label} for label, name in names.items()]
    facts = {"name": "odd", "digest": "d", "columns": columns, "splits": splits, "files": files}
    (tmp_path / "out" / "README.md").write_bytes(jsonl().card(facts)["README.md"])
    loaded = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert {label: split.to_list() for label, split in loaded.items()} == {"train": rows["train"], "test": rows["test"]}
    named = jsonl().card({**facts, "splits": {**splits, "hard-cases": splits["train"]}})["README.md"].decode()
    paths = [one["path"] for one in yaml.safe_load(named.split("---\n")[1])["configs"][0]["data_files"]]
    assert paths == ["data/train-*.jsonl", "data/hard_cases-*.jsonl", "data/test-*.jsonl"]
    nested = {**facts, "columns": {**columns, "deep": "struct<a: int64>"}}
    assert "dataset_info" not in jsonl().card(nested)["README.md"].decode()
