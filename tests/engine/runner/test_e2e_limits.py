"""Limits of a run: how deep, how large, how far; what they keep out comes in when they are raised, and only that."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from corpusmill.errors import InputError


def read(**options: Any) -> dict[str, Any]:
    return {"id": "read", "uses": "read.jsonl", "with": {"paths": "data/*", **options}}


def test_the_depth_of_json_is_a_limit_of_the_spec(mill: Any) -> None:
    """A record below the limit is read, one above it goes to quarantine; another limit reads them again."""
    nested = [b'{"text": "deep", "x": ' + b"[" * depth + b"]" * depth + b"}" for depth in (9, 600)]
    mill.jsonl("data/a.jsonl", ["flat", *nested])
    limits: dict[str, Any] = {"max_bad_fraction": 1}
    for depth, rows in ((512, 2), (8, 1), (1024, 3)):
        outputs = mill.run([read()], limits={**limits, "max_json_depth": depth}).outputs
        assert outputs["outputs"]["read"]["rows"] == rows
        assert {row["reason"] for row in mill.quarantine(outputs)} <= {"too-deep"}
        assert outputs["counts"]["read"]["in"] == 3


@pytest.fixture
def packed(mill: Any) -> Any:
    """A mill with a small compressed file and one that holds 100 KB."""
    for name, rows in (("a", 10), ("b", 5_000)):
        data = mill.jsonl("plain.jsonl", [f"row {number}" for number in range(rows)]).read_bytes()
        path = mill.root / f"data/{name}.jsonl.gz"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(gzip.compress(data))
    return mill


def test_a_file_that_holds_too_much_fails_the_run_with_the_limit(packed: Any) -> None:
    """The error names the file and the limit; with a higher one the other file is not read again."""
    steps = [read(shard="1 KB"), packed.mark("one")]
    with pytest.raises(InputError, match="1 damaged input file") as caught:
        packed.run(steps, limits={"max_expanded_bytes": "10 kB"})
    assert "b.jsonl.gz: holds more than 10,000 bytes, the limit max_expanded_bytes" in str(caught.value)
    packed.calls()
    assert packed.run(steps, limits={"max_expanded_bytes": "1 MB"}).outputs["outputs"]["one"]["rows"] == 5_010
    assert packed.calls()["one"] == 1
    packed.run(steps, limits={"max_expanded_bytes": None})
    assert not packed.calls()


def test_a_file_that_a_limit_kept_out_comes_in_when_it_is_raised(packed: Any) -> None:
    """Under `quarantine` the run goes on without it; a run with a higher limit reads that file, and no other."""
    steps, limits = [read(shard="1 KB"), packed.mark("one")], {"on_corrupt_file": "quarantine"}
    low = {**limits, "max_expanded_bytes": "10 kB"}
    for _ in range(2):
        outputs = packed.run(steps, limits=low).outputs
        assert outputs["outputs"]["one"]["rows"] == 10
        assert [one["file"] for one in outputs["damaged"]] == ["b.jsonl.gz"]
    packed.calls()
    outputs = packed.run(steps, limits=limits).outputs
    assert outputs["outputs"]["one"]["rows"] == 5_010
    assert outputs["damaged"] == []
    assert packed.calls()["one"] == 1
    # What was read within a higher limit is read: it protects the machine, it does not choose documents.
    assert packed.run(steps, limits=low).outputs["outputs"]["one"]["rows"] == 5_010


def test_a_limit_of_documents_bounds_what_counts_as_read(mill: Any) -> None:
    """With `--limit` the reader's numbers are those of the documents that went on, and of bad records before them."""
    rows = [
        b"bad",
        *(f"row {number}" for number in range(4)),
        b"bad",
        *(f"row {number}" for number in range(4, 9)),
        b"x",
    ]
    mill.jsonl("data/a.jsonl", rows)
    mill.jsonl("data/b.jsonl", ["other"] * 3)
    for limit, bad in ((1, 1), (4, 1), (5, 2), (9, 2), (10, 3), (12, 3)):
        outputs = mill.run([read(), mill.mark("one")], limit=limit, limits={"max_bad_fraction": 1}).outputs
        counts = outputs["counts"]
        assert counts["read"]["out"] == counts["one"]["in"] == min(limit, 12), limit
        assert counts["read"]["in"] == min(limit, 12) + bad, limit
        assert len(mill.quarantine(outputs)) == outputs["quarantine"] == bad, limit
