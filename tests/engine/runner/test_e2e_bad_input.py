"""Bad input: every bad record is accounted for at its place, damaged files are listed, nothing half is published."""

from __future__ import annotations

import gzip
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from corpusmill.errors import BadRecordLimit, DamagedFiles, InputError

BAD: dict[str, bytes] = {
    "invalid-json": b'{"text": "never ends',
    "invalid-utf8": b'{"text": "caf\xe9"}',
    "too-large": b'{"text": "' + b"x" * 100_000_000 + b'"}',
    "too-deep": b'{"text": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    "lone-surrogate": b'{"text": "\\ud800"}',
    "not-a-number": b'{"text": "x", "score": NaN}',
    "empty": b"",
}
REASONS = {"not-a-number": "invalid-json"}
"""What the reader calls a record, where it is not the name above."""


def read(**options: Any) -> dict[str, Any]:
    """A reader of everything under data/."""
    return {"id": "read", "uses": "read.jsonl", "with": {"paths": "data/*", **options}}


PEAK = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""


def mill_run(mill: Any, steps: list[dict[str, Any]], **top: Any) -> tuple[int, str, int]:
    """Run a spec by the command line in a process of its own; return exit code, stderr, and its peak memory in KB."""
    command = [sys.executable, "-c", "from corpusmill.cli import main; main()", "run", str(mill.spec(steps, **top))]
    command += ["--store", mill.store_uri, "--executor", "inline", "--quiet"]
    # A small process between: a child's peak is never below what its parent held when it was started.
    between = [sys.executable, "-S", "-c", PEAK, *command]
    ended = subprocess.run(between, capture_output=True, text=True, check=False)
    return ended.returncode, ended.stderr, int(ended.stdout)


def published(mill: Any) -> list[str]:
    """Return the names of all manifests in the store."""
    return [name for name in mill.tree() if name.startswith("datasets/")]


def test_ten_thousand_good_rows_and_seven_bad_ones(mill: Any) -> None:
    """Exit 0; read = kept + quarantined; each place right to the byte; under 1 GB of memory in driver and worker."""
    good = [orjson.dumps({"text": f"document {number}"}) for number in range(10_000)]
    lines = list(good)
    for position, line in zip(range(1_400, 10_000, 1_400), BAD.values(), strict=False):
        lines.insert(position, line)
    mill.jsonl("data/all.jsonl", lines)
    places, offset = {}, 0
    for line in lines:
        if line not in good[:1] and not line.startswith(b'{"text":"document'):
            places[offset] = line
        offset += len(line) + 1
    assert len(places) == 7

    code, said, peak = mill_run(mill, [read()])
    assert code == 0, said
    assert peak < 1_000_000
    outputs = mill.outputs()
    assert outputs["counts"]["read"]["in"] == 10_007
    assert outputs["counts"]["read"]["out"] == outputs["outputs"]["read"]["rows"] == 10_000
    found = {row["offset"]: row for row in mill.quarantine(outputs)}
    assert found.keys() == places.keys()
    names = {line: name for name, line in BAD.items()}
    for place, line in places.items():
        row = found[place]
        assert row["reason"] == REASONS.get(names[line], names[line])
        assert row["length"] == len(line)
        assert row["raw"] == line[:4096]
        assert row["file"] == "all.jsonl"
    assert outputs["quarantine"] == 7


def test_over_the_limit_nothing_is_published_and_raising_it_recomputes_nothing(mill: Any) -> None:
    """More bad records than allowed: exit 3, no manifest; with a higher limit the committed shards are published."""
    mill.jsonl("data/a.jsonl", ["good one", "good two", b"broken", "good three"])
    steps = [read(), mill.mark("one")]
    with pytest.raises(BadRecordLimit, match=r"1 of 4 records are bad \(25.00%\): read: invalid-json 1") as caught:
        mill.run(steps)
    assert caught.value.exit_code == 3
    assert f"--store {mill.root / 'store'}` lists them with their places" in str(caught.value)
    assert published(mill) == []
    assert mill.outputs()["status"] == "failed"
    mill.calls()
    raised = mill.run(steps, limits={"max_bad_fraction": 0.25}).outputs
    assert not mill.calls()
    assert raised["outputs"]["one"]["rows"] == 3
    with pytest.raises(BadRecordLimit):
        mill.run(steps, limits={"max_bad_fraction": 0.25, "max_bad_records": 0})


def test_the_command_exits_with_3_over_the_limit(mill: Any) -> None:
    """The exit code of the design, with the count and what to do on stderr."""
    mill.jsonl("data/a.jsonl", ["good", b"broken"])
    code, said, _ = mill_run(mill, [read()])
    assert code == 3, said
    assert "1 of 2 records are bad" in said
    assert "max_bad_fraction" in said


def gz(lines: bytes) -> bytes:
    return gzip.compress(lines)


def zst(lines: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True).compress(lines)


@pytest.fixture
def damaged(mill: Any) -> Any:
    """A mill with two whole files and two truncated ones, of two compressions."""
    for name, seed, pack in (
        ("a.jsonl.gz", 1, gz),
        ("b.jsonl.zst", 2, zst),
        ("c.jsonl.gz", 3, gz),
        ("d.jsonl.zst", 4, zst),
    ):
        plain = mill.jsonl("plain.jsonl", mill.texts(50, seed)).read_bytes()
        data = pack(plain)
        path = mill.root / "data" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data[: len(data) * 2 // 3] if name[0] in "bc" else data)
    return mill


def test_all_damaged_files_are_listed_and_nothing_is_published(damaged: Any) -> None:
    """By default damage fails the run: exit 1, one message with every damaged file, no manifest."""
    with pytest.raises(InputError, match=r"2 damaged input files") as caught:
        damaged.run([read(), damaged.mark("one")])
    assert caught.value.exit_code == 1
    for name in ("b.jsonl.zst", "c.jsonl.gz"):
        assert name in str(caught.value)
    assert "a.jsonl.gz" not in str(caught.value)
    assert published(damaged) == []
    assert [one["file"] for one in damaged.outputs()["damaged"]] == ["b.jsonl.zst", "c.jsonl.gz"]


@pytest.mark.parametrize("shard", ["1 KB", "64 MB"])
def test_under_quarantine_no_row_of_a_damaged_file_is_taken(damaged: Any, shard: str) -> None:
    """The whole files' rows and no other, in shards of their own or in a group; damage is listed apart, also again."""
    steps = [read(shard=shard), damaged.mark("one")]
    for _ in range(2):
        outputs = damaged.run(steps, limits={"on_corrupt_file": "quarantine"}).outputs
        rows = damaged.rows(outputs["outputs"]["one"]["digest"])
        assert {row["file"] for row in rows} == {"a.jsonl.gz", "d.jsonl.zst"}
        assert len(rows) == 100
        assert outputs["counts"]["read"]["in"] == 100
        assert [one["file"] for one in outputs["damaged"]] == ["b.jsonl.zst", "c.jsonl.gz"]


def test_many_damaged_files_are_not_read_again_for_each(mill: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shard of small files starts again once, when all of its damage is known, however much there is."""
    from corpusmill.runner import sources

    opened, really = [], sources._read
    monkeypatch.setattr(
        sources, "_read", lambda reader, part, *rest: opened.append(part) or really(reader, part, *rest)
    )
    (mill.root / "data").mkdir()
    for number in range(40):
        data = gz(mill.jsonl("plain.jsonl", [f"file {number}"]).read_bytes())
        (mill.root / f"data/{number:02}.jsonl.gz").write_bytes(data[:-5] if number % 4 else data)
    outputs = mill.run([read()], limits={"on_corrupt_file": "quarantine"}).outputs
    assert outputs["outputs"]["read"]["rows"] == 10
    assert len(outputs["damaged"]) == 30
    assert len(opened) <= 3 * 40


def test_damage_that_was_allowed_once_fails_a_run_that_does_not_allow_it(damaged: Any) -> None:
    """What is committed under `quarantine` remembers the damage."""
    damaged.run([read()], limits={"on_corrupt_file": "quarantine"})
    with pytest.raises(InputError, match="2 damaged input files"):
        damaged.run([read()])


def test_a_mended_file_is_taken(damaged: Any) -> None:
    """Replacing the damaged files and running again reads them, and nothing of the others again."""
    steps = [read(shard="1 KB"), damaged.mark("one")]
    with pytest.raises(InputError):
        damaged.run(steps)
    damaged.calls()
    for name, pack in (("b.jsonl.zst", zst), ("c.jsonl.gz", gz)):
        plain = damaged.jsonl("plain.jsonl", damaged.texts(50, 9)).read_bytes()
        (damaged.root / "data" / name).write_bytes(pack(plain))
    outputs = damaged.run(steps).outputs
    assert outputs["outputs"]["one"]["rows"] == 200
    assert damaged.calls()["one"] == 2
    assert outputs["damaged"] == []


def warc(count: int) -> bytes:
    members = []
    for number in range(count):
        block = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html><p>page " + str(number).encode()
        head = f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://a.org/{number}\r\n"
        head += f"Content-Type: application/http; msgtype=response\r\nContent-Length: {len(block)}\r\n\r\n"
        members.append(gzip.compress(head.encode() + block + b"\r\n\r\n"))
    return b"".join(members)


def groups(rows: int) -> bytes:
    sink = pa.BufferOutputStream()
    table = pa.table({"text": [f"row {number} of a table with words " + "x" * (number % 50) for number in range(rows)]})
    pq.write_table(table, sink, row_group_size=50, write_page_checksum=True, compression="none", use_dictionary=False)
    return sink.getvalue().to_pybytes()


KINDS: dict[str, tuple[str, Callable[[int], bytes]]] = {
    "read.warc": ("warc.gz", warc),
    "read.parquet": ("parquet", groups),
}


@pytest.mark.parametrize("kind", KINDS)
def test_truncated_warc_and_parquet(mill: Any, kind: str) -> None:
    """Listed by default; left out whole under `quarantine`."""
    suffix, make = KINDS[kind]
    (mill.root / "data").mkdir()
    for name in "abc":
        data = make(120)
        (mill.root / f"data/{name}.{suffix}").write_bytes(data if name == "b" else data[: len(data) - 40])
    steps = [{"id": "read", "uses": kind, "with": {"paths": "data/*", "shard": "2 KB"}}]
    with pytest.raises(InputError, match="2 damaged input files") as caught:
        mill.run(steps)
    assert f"a.{suffix}" in str(caught.value)
    assert f"c.{suffix}" in str(caught.value)
    outputs = mill.run(steps, limits={"on_corrupt_file": "quarantine"}).outputs
    rows = mill.rows(outputs["outputs"]["read"]["digest"])
    assert {row["file"] for row in rows} == {f"b.{suffix}"}
    assert len(rows) == 120


def flipped(data: bytes, needle: bytes) -> bytes:
    place = data.index(needle)
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def test_one_damaged_row_group_takes_all_shards_of_its_file(mill: Any) -> None:
    """A Parquet file read in several shards loses them all when one of its row groups is damaged."""
    (mill.root / "data").mkdir()
    (mill.root / "data/a.parquet").write_bytes(flipped(groups(400), b"row 390 of"))
    (mill.root / "data/b.parquet").write_bytes(groups(400))
    steps = [{"id": "read", "uses": "read.parquet", "with": {"paths": "data/*", "shard": "2 KB"}}, mill.mark("one")]
    outputs = mill.run(steps, limits={"on_corrupt_file": "quarantine"}).outputs
    assert len(mill.commits()["pass"]) > 6
    rows = mill.rows(outputs["outputs"]["one"]["digest"])
    assert {row["file"] for row in rows} == {"b.parquet"}
    assert outputs["counts"]["read"]["in"] == len(rows) == 400
    assert [one["file"] for one in outputs["damaged"]] == ["a.parquet"]


def test_damage_of_footers_and_of_row_groups_is_listed_together(mill: Any) -> None:
    """What is found when files are cut and what is found when they are read stands in one message."""
    (mill.root / "data").mkdir()
    (mill.root / "data/a.parquet").write_bytes(flipped(groups(400), b"row 390 of"))
    (mill.root / "data/b.parquet").write_bytes(groups(400)[:-9])
    (mill.root / "data/c.parquet").write_bytes(groups(400))
    with pytest.raises(InputError, match="2 damaged input files") as caught:
        mill.run([{"id": "read", "uses": "read.parquet", "with": {"paths": "data/*"}}])
    assert "a.parquet" in str(caught.value)
    assert "b.parquet" in str(caught.value)


def test_a_changed_parquet_file_is_read_again(mill: Any) -> None:
    """Ranges of row groups are known by the whole file's bytes: another file of the same shape is another input."""
    (mill.root / "data").mkdir()
    path = mill.root / "data/a.parquet"
    steps = [{"id": "read", "uses": "read.parquet", "with": {"paths": "data/*", "shard": "2 KB"}}]
    path.write_bytes(groups(100))
    before = mill.run(steps).outputs["outputs"]["read"]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"text": [f"other {number}" for number in range(100)]}), sink, row_group_size=50)
    path.write_bytes(sink.getvalue().to_pybytes())
    after = mill.run(steps).outputs["outputs"]["read"]
    assert after["digest"] != before["digest"]
    assert mill.rows(after["digest"])[0]["text"] == "other 0"


def test_damage_of_all_inputs_is_told_at_once(mill: Any) -> None:
    """A run that one reader's damage ends reads the other inputs too; those it needs nothing else for are cached."""
    for name in ("left", "right", "whole"):
        data = gzip.compress(mill.jsonl(f"{name}.jsonl", mill.texts(20)).read_bytes())
        (mill.root / name).mkdir()
        (mill.root / name / "a.jsonl.gz").write_bytes(data if name == "whole" else data[:-9])
    steps = [{"id": one, "uses": "read.jsonl", "with": {"paths": f"{one}/*"}} for one in ("left", "whole", "right")]
    steps += [{"id": "all", "uses": "clean.mark", "needs": ["left", "whole", "right"]}]
    with pytest.raises(DamagedFiles) as caught:
        mill.run(steps)
    assert caught.value.what.splitlines()[0] == "2 damaged input files:"
    assert [line.partition(".gz:")[0] for line in caught.value.what.splitlines()[1:]] == [
        "    left: a.jsonl",
        "    right: a.jsonl",
    ]
    assert caught.value.where == "steps left, right"
    told = mill.outputs()
    assert [(one["step"], one["file"]) for one in told["damaged"]] == [("left", "a.jsonl.gz"), ("right", "a.jsonl.gz")]
    assert {name: stage.state for name, stage in mill.forecast(steps).items()} == {
        "left": "fails",
        "whole": "cached",
        "right": "fails",
        "all": "waits",
    }
