"""read.jsonl: good lines arrive, bad ones are rejected at their byte, however the file is cut or compressed."""

from __future__ import annotations

import gzip
import random
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from corpusmill import ReadLimits
from corpusmill_plugins.readers.jsonl import Jsonl

BAD = {
    b'{"text": "cut': "invalid-json",
    b'{"text": NaN}': "invalid-json",
    b'{"text": "\xff\xfe"}': "invalid-utf8",
    b'{"text": "\\ud800"}': "lone-surrogate",
    b'{"text": "\\udc00 tail"}': "lone-surrogate",
    b'{"text": ' + b"[" * 5000 + b"]" * 5000 + b"}": "too-deep",
    b'{"text": "x", "other": ' + b"[" * 600 + b"]" * 600 + b"}": "too-deep",
    b"": "empty",
    b" \t\r": "empty",
    b"[1, 2]": "not-an-object",
    b'{"other": "x"}': "missing-text",
    b'{"text": 5}': "type-conflict",
    b'{"text": "' + b"y" * 30_000 + b'"}': "too-large",
}
LIMITS = ReadLimits(max_document_bytes=20_000)


def reader(**options: Any) -> Jsonl:
    return Jsonl(Jsonl.Options(paths="*", **options))


def lines_of(texts: list[str]) -> bytes:
    return b"".join(orjson.dumps({"text": text}) + b"\n" for text in texts)


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstandard.compress], ids=["plain", "gz", "zst"])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    records=st.lists(st.one_of(st.text(max_size=40), st.sampled_from(sorted(BAD))), max_size=30),
    newline=st.booleans(),
    shard=st.integers(1, 50_000),
)
def test_every_line_is_kept_or_rejected_at_its_byte(
    records: list[str | bytes], newline: bool, shard: int, pack: Any, put: Any, read_all: Any
) -> None:
    """n good and m bad lines give n rows and m rejects with the right places and reasons, for every shard size."""
    plain, rows, rejects = b"", [], []
    for record in records:
        if isinstance(record, str):
            rows.append((len(plain), record))
        else:
            rejects.append((len(plain), BAD[record]))
        plain += (orjson.dumps({"text": record}) if isinstance(record, str) else record) + b"\n"
    if not newline and plain and not plain.endswith(b"\n\n"):
        plain = plain[:-1]
        if plain == b"":
            rejects = []
    suffix = {bytes: "", gzip.compress: ".gz"}.get(pack, ".zst")
    outcome = read_all(reader(shard=shard), put(f"a.jsonl{suffix}", pack(plain)), limits=LIMITS)
    assert [(row["offset"], row["text"]) for row in outcome.rows] == rows
    assert outcome.reasons == rejects


def test_raw_bytes_of_a_reject_are_the_line(put: Any, read_all: Any) -> None:
    """A reject carries the line as it stood, capped, and its true length."""
    outcome = read_all(reader(), put("a.jsonl", b'{"text": "ok"}\n{"broken\n'))
    assert outcome.rejects == [(15, "invalid-json", b'{"broken', 8)]


def test_a_byte_order_mark_is_skipped(put: Any, read_all: Any) -> None:
    """A UTF-8 byte order mark is no part of the first record; its place is after the mark."""
    outcome = read_all(reader(), put("a.jsonl", b"\xef\xbb\xbf" + lines_of(["one"])))
    assert [(row["offset"], row["text"]) for row in outcome.rows] == [(3, "one")]


def test_an_empty_plain_file_has_no_rows_and_no_rejects(put: Any, read_all: Any) -> None:
    """A file of zero bytes is a file of zero records."""
    outcome = read_all(reader(), put("a.jsonl", b""))
    assert (outcome.rows, outcome.rejects) == ([], [])


def test_columns_are_renamed_and_their_types_inferred(put: Any, read_all: Any) -> None:
    """`columns: {ours: theirs}` renames; ints beside floats are floats, and a missing key is null."""
    data = b'{"review":"good","stars":4}\n{"review":"bad","stars":1.5,"other":1}\n{"review":"?"}\n'
    outcome = read_all(reader(columns={"text": "review", "score": "stars"}), put("a.jsonl", data))
    assert [(row["text"], row["score"]) for row in outcome.rows] == [("good", 4.0), ("bad", 1.5), ("?", None)]


def test_a_null_text_stays_null_and_a_missing_one_is_rejected(put: Any, read_all: Any) -> None:
    """`"text": null` is a document without text; no `text` key at all is a bad record."""
    outcome = read_all(reader(), put("a.jsonl", b'{"text":null}\n{"txt":"x"}\n'))
    assert outcome.texts == [None]
    assert outcome.reasons == [(14, "missing-text")]


def test_schema_drift_in_a_later_file_rejects_the_record(put: Any, read_all: Any) -> None:
    """The type found in the sample holds for every file: another kind is a type conflict at its byte."""
    first = put("a.jsonl", b'{"text":"a","n":1}\n' * 2000)
    second = put("b.jsonl", b'{"text":"b","n":"one"}\n{"text":"c","n":true}\n{"text":"d","n":2}\n')
    outcome = read_all(reader(columns=["text", "n"]), first, second)
    assert [row["n"] for row in outcome.rows[2000:]] == [2]
    assert outcome.reasons == [(0, "type-conflict"), (23, "type-conflict")]


def test_numbers_that_do_not_fit_are_conflicts_not_other_numbers(put: Any, read_all: Any) -> None:
    """An int beyond 64 bits, or beyond 2^53 in a float column, is rejected instead of rounded."""
    data = b'{"text":"a","n":9223372036854775808}\n{"text":"b","n":1}\n'
    assert read_all(reader(columns=["n"], types={"n": "int"}), put("a.jsonl", data)).reasons == [(0, "type-conflict")]
    data = b'{"text":"a","n":9007199254740993}\n{"text":"b","n":1}\n'
    assert read_all(reader(columns=["n"], types={"n": "float"}), put("b.jsonl", data)).reasons == [(0, "type-conflict")]


def test_all_takes_the_scalars_of_the_sample(put: Any, read_all: Any) -> None:
    """`columns: all` takes text and every scalar column; nested ones only when their type is declared."""
    data = b'{"text":"a","url":"u","tags":["x"],"meta":{"k":1},"ok":true}\n'
    outcome = read_all(reader(columns="all", types={"tags": {"list": "string"}}), put("a.jsonl", data))
    assert outcome.rows == [{"text": "a", "tags": ["x"], "url": "u", "ok": True, "offset": 0}]


def test_an_export_is_read_back(put: Any, read_all: Any) -> None:
    """`offset` is the place in this file: that of a record is left out of `all`, and refused where it is asked for."""
    from pydantic import ValidationError

    file = put("a.jsonl", b'{"text": "a", "offset": 70, "n": 1}\n')
    assert read_all(reader(columns="all"), file).rows == [{"text": "a", "n": 1, "offset": 0}]
    with pytest.raises(ValidationError, match=r"their_offset: offset"):
        reader(columns={"offset": "n"})


def test_nested_columns_are_inferred_when_named(put: Any, read_all: Any) -> None:
    """A named column may be nested; a list of another kind is a conflict."""
    data = b'{"text":"a","turns":[{"role":"u","n":1}]}\n{"text":"b","turns":[{"role":2}]}\n{"text":"c","turns":null}\n'
    kind = {"list": {"struct": {"role": "string", "n": "int"}}}
    outcome = read_all(reader(columns=["turns"], types={"turns": kind}), put("a.jsonl", data))
    assert [row["turns"] for row in outcome.rows] == [[{"role": "u", "n": 1}], None]
    inferred = reader(columns=["turns"])
    inferred.prepare([put("b.jsonl", data.splitlines(keepends=True)[0])])
    assert inferred.adds()["turns"] == pa.large_list(pa.struct([("role", pa.large_string()), ("n", pa.int64())]))


def test_the_column_of_ids_is_read_without_being_named(put: Any, read_all: Any) -> None:
    """`id: key` brings the column `key` in, so that the engine finds it."""
    outcome = read_all(reader(id="key"), put("a.jsonl", b'{"text":"a","key":"k1"}\n'))
    assert outcome.rows == [{"text": "a", "key": "k1", "offset": 0}]


def test_an_unknown_type_is_an_error_of_the_spec() -> None:
    """A type nobody knows is refused when options are checked."""
    with pytest.raises(ValidationError, match="'text64' is no type"):
        reader(types={"label": "text64"})


def test_appending_changes_only_the_last_range(put: Any) -> None:
    """Ranges lie on a constant grid: what is appended to a file moves no earlier cut."""
    data = lines_of([f"line {number}" for number in range(1000)])
    before = reader(shard=1000).ranges(put("a.jsonl", data))
    after = reader(shard=1000).ranges(put("b.jsonl", data + lines_of(["more"] * 50)))
    assert len(before) > 10
    assert before[:-1] == after[: len(before) - 1]
    assert all(data[start - 1 : start] == b"\n" for start, _ in before[1:])


CHILD = """
import resource, sys
from functools import partial
from pathlib import Path
sys.path.insert(0, {here!r})
from conftest import LocalFile, Outcome
from corpusmill import ReadLimits, Slice
from corpusmill_plugins.readers.jsonl import Jsonl
reader, outcome, file = Jsonl(Jsonl.Options(paths="*")), Outcome(), LocalFile(Path(sys.argv[1]), sys.argv[1])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
rows = sum(batch.num_rows for a, b in reader.ranges(file) for batch in reader.read(Slice(file, a, b), outcome.reject))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(rows, outcome.reasons, outcome.rejects[0][3], (peak - before) // 1024)
"""


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_a_line_of_100_mb_is_rejected_without_being_held(tmp_path: Path, suffix: str) -> None:
    """A line far above the limit costs tens of MB of memory, not hundreds, and its neighbours are kept."""
    path = tmp_path / f"a.jsonl{suffix}"
    opener = {"": open, ".gz": partial(gzip.open, compresslevel=1), ".zst": zstandard.open}[suffix]
    with opener(path, mode="wb") as sink:
        sink.write(lines_of(["before"]) + b'{"text": "')
        for seed in range(100):
            sink.write(random.Random(seed % 7).randbytes(500_000).hex().encode())
        sink.write(b'"}\n' + lines_of(["after"]))
    child = CHILD.format(here=str(Path(__file__).parent))
    done = subprocess.run([sys.executable, "-c", child, str(path)], capture_output=True, text=True, check=True)
    head, grown = done.stdout.strip().rsplit(" ", 1)
    assert head == "2 [(18, 'too-large')] 100000012"
    assert int(grown) < 250, "MB of resident memory beyond the imports"
