"""Ledger and quarantine: the same rows in the same order, whatever batches and workers they came from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusmill.dataset.part import write_table
from corpusmill.dataset.store import Store
from corpusmill.ledger import quarantine, removed
from corpusmill.ledger.quarantine import RAW_BYTES, Quarantine, stable_text
from corpusmill.ledger.removed import Ledger

_NUMBER = st.none() | st.floats(allow_nan=False)
_TEXT = st.none() | st.text(max_size=4)
REMOVED = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(["short", "long"]), _NUMBER, _NUMBER, _TEXT, _TEXT), max_size=12
)


def batch_of(rows: list[int]) -> pa.RecordBatch:
    columns: dict[str, Any] = {
        "id": pa.array([f"id-{row}" for row in rows], pa.string()),
        "file": pa.array(["f"] * len(rows), pa.large_string()),
        "offset": pa.array(rows, pa.int64()),
        "text": pa.array(["x"] * len(rows), pa.large_string()),
    }
    return pa.record_batch(columns)


def numbers(values: list[float | None]) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in values], np.float64)


def ledger_of(entries: list[tuple[Any, ...]], size: int) -> pa.Table:
    """Record entries (row = place) step by step, as a chain does, in batches of `size` rows."""
    ledger = Ledger()
    rows = list(range(len(entries)))
    for start in range(0, len(rows), size):
        for step in range(4):
            held = [row for row in rows[start : start + size] if entries[row][0] == step]
            step_entries = [entries[row] for row in held]
            ledger.add(
                batch_of(held),
                np.array(held, np.int64),
                step,
                [one[1] for one in step_entries],
                numbers([one[2] for one in step_entries]),
                numbers([one[3] for one in step_entries]),
                [one[4] for one in step_entries],
                [one[5] for one in step_entries],
            )
    return ledger.table()


@settings(max_examples=40)
@given(entries=REMOVED, size=st.sampled_from([1, 2, 5]))
def test_the_ledger_does_not_show_the_batches(
    tmp_path_factory: pytest.TempPathFactory, entries: list[tuple[Any, ...]], size: int
) -> None:
    """Rows come out in input order, and equal ledgers are equal files."""
    store = Store(str(tmp_path_factory.getbasetemp() / "ledgers"))
    whole, cut = ledger_of(entries, 1_000), ledger_of(entries, size)
    assert whole["row"].to_pylist() == list(range(len(entries)))
    assert write_table(store, whole) == write_table(store, cut)


@given(entries=REMOVED)
def test_a_ledger_row_says_what_was_recorded(entries: list[tuple[Any, ...]]) -> None:
    """Place, step, rule, value, threshold, detail and the kept duplicate; what has no number is null, not NaN."""
    found = [
        (row["step"], row["rule"], row["value"], row["threshold"], row["detail"], row["other"])
        for row in ledger_of(entries, 3).to_pylist()
    ]
    assert found == entries


def test_rows_without_a_place_have_none() -> None:
    """A dataset without file and offset still has its removed rows listed, by id."""
    ledger = Ledger()
    batch = pa.record_batch({"id": pa.array(["a"])})
    ledger.add(batch, np.array([0]), 0, ["rule"], numbers([1.0]), numbers([2.0]))
    row = ledger.table().to_pylist()[0]
    assert (row["id"], row["file"], row["offset"], row["detail"], row["other"]) == ("a", None, None, None, None)


def test_an_empty_ledger_has_its_columns() -> None:
    """Nothing removed is a table without rows, of the same schema."""
    ledger = Ledger()
    ledger.add(batch_of([]), np.array([], np.int64), 0, [], numbers([]), numbers([]))
    assert (ledger.table().num_rows, ledger.table().schema) == (0, removed.SCHEMA)


@given(
    records=st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 3), st.integers(-1, 1)), unique=True),
    seed=st.randoms(),
)
def test_the_quarantine_is_sorted_by_place(records: list[tuple[str, int, int]], seed: Any) -> None:
    """By file, offset and step, in whatever order the records came."""
    shuffled = records[:]
    seed.shuffle(shuffled)
    tables = []
    for order in (records, shuffled):
        collected = Quarantine()
        for file, offset, step in order:
            collected.add(file=file, offset=offset, step=step, reason="bad", raw=f"{file}{offset}".encode())
        tables.append(collected.table())
    assert tables[0].equals(tables[1])
    assert [(row["file"], row["offset"], row["step"]) for row in tables[0].to_pylist()] == sorted(records)


def test_records_at_one_place_have_one_order() -> None:
    """Two rows made from one record may fail in one step, even without an id: their order is that of their content."""
    first, second = ({"reason": "raised", "detail": d, "raw": d.encode()} for d in ("one", "two"))
    tables = []
    for order in ((first, second), (second, first)):
        collected = Quarantine()
        for values in order:
            collected.add(file="f", offset=1, step=2, **values)
        tables.append(collected.table())
    assert tables[0].equals(tables[1])


def test_a_large_record_is_capped_and_its_length_kept() -> None:
    """At most 4 KiB of a record are kept, beside its true length; a reader may have capped it before."""
    collected = Quarantine()
    collected.add(file="f", offset=0, reason="too-large", raw=b"x" * 10_000)
    collected.add(file="f", offset=1, reason="too-large", raw=b"x" * 100, length=10**9)
    rows = collected.table().to_pylist()
    assert [(len(row["raw"]), row["length"]) for row in rows] == [(RAW_BYTES, 10_000), (100, 10**9)]


def test_an_empty_quarantine_has_its_columns() -> None:
    """No bad record is a table without rows, of the same schema."""
    assert (Quarantine().table().num_rows, Quarantine().table().schema) == (0, quarantine.SCHEMA)


@pytest.mark.parametrize(
    ("text", "stable"),
    [
        ("<Thing object at 0x7f2b32982890>", "<Thing object at 0x…>"),
        ("0xDEADbeef and 0x1", "0x… and 0x…"),
        ("offset 12 of 0 x 5", "offset 12 of 0 x 5"),
        ("x" * 2_000, "x" * 1_000),
    ],
)
def test_error_texts_hold_no_addresses(text: str, stable: str) -> None:
    """Memory addresses differ each run, and details are part of the bytes: they go, and length is bounded."""
    assert stable_text(text) == stable


def test_the_same_error_in_two_processes_is_the_same_bytes(tmp_path: Path) -> None:
    """Details that differ only in addresses give the same quarantine file."""
    store, files = Store(str(tmp_path)), []
    for address in ("0x7f0000001000", "0x7f0000002000"):
        collected = Quarantine()
        collected.add(file="f", offset=0, reason="raised", detail=f"cannot use <Model at {address}>")
        files.append(write_table(store, collected.table()))
    assert files[0] == files[1]
