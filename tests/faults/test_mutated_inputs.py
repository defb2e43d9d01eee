"""Crafted input: a flipped bit or a cut gives exact rows or a report; what a format cannot show, `checksums` does."""

from __future__ import annotations

import importlib
import itertools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from corpusmill.errors import ChecksumError

sys.path.append(str(Path(__file__).parents[2] / "benchmarks" / "reliability"))
mutations = importlib.import_module("mutations")
mutated_inputs = importlib.import_module("mutated_inputs")
mutated_store = importlib.import_module("mutated_store")

FORMATS = {one.name: one for one in mutated_inputs.FORMATS}
TENTHS = range(5, 100, 10)
COLUMNS = mutations.COLUMNS


def rows_of(name: str, percents: range, bits: range) -> dict[str, dict[str, Any]]:
    """Return the figures of a format by change and column."""
    rows = mutations.format_rows(FORMATS[name], percents, bits)
    return {row[1]: dict(zip(COLUMNS, row, strict=True)) for row in rows}


def hold(name: str, percents: range, bits: range) -> None:
    """Assert what every format keeps, and what those with checksums keep."""
    rows = rows_of(name, percents, bits)
    assert rows["bit"]["tried"] == len(percents) * len(bits)
    assert rows["cut"]["tried"] == len(percents)
    assert not [row for row in rows.values() if mutations.broken(row)]


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_at_every_tenth(name: str) -> None:
    """Never another exception than a report; no row is lost to a bit where the format can tell."""
    hold(name, TENTHS, range(2))


@pytest.mark.soak
@pytest.mark.parametrize("name", FORMATS)
def test_each_format_at_every_percent(name: str) -> None:
    """The same for every bit of a byte at every percent, and a cut at every percent."""
    hold(name, mutations.PERCENTS, mutations.BITS)


@pytest.mark.parametrize("name", ["JSON Lines, gzip", "WARC with digests", "Parquet, not compressed"])
def test_the_driver_outlives_mutated_files(name: str) -> None:
    """A run that may leave out damaged files ends well over many of them, with all rows of the whole one."""
    assert mutations.driver_survives(FORMATS[name], TENTHS)


@pytest.fixture(scope="module")
def small_store(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, str]]:
    """A store with a file of every kind, and a name of each."""
    uri = mutated_store.make_store(tmp_path_factory.mktemp("mutated"))
    return uri, mutated_store.kinds_of(uri)


def look(small_store: tuple[str, dict[str, str]], percents: range) -> None:
    """Assert that every change to a file of every kind is found, and that nothing wrong comes of using it."""
    uri, kinds = small_store
    for kind, name in kinds.items():
        victim = mutated_store.Victim(uri, name)
        changes = (mutated_inputs.flips(victim.data, percents), mutated_inputs.cuts(victim.data, percents))
        for number, changed in enumerate(itertools.chain(*changes)):
            assert victim.meets(changed) == (True, True), f"{kind} ({name}), change {number}"


def test_a_store_of_every_kind_of_file(small_store: tuple[str, dict[str, str]]) -> None:
    """The store that is mutated has them all."""
    assert {
        "part", "selection", "ledger", "quarantine", "kept signals", "sketch: keys", "sketch: rows", "tokens",
        "list of parts", "commit record", "pack of commit records", "manifest of a dataset", "manifest of tokens",
        "manifest of an artifact", "file of an artifact",
    } <= set(small_store[1])  # fmt: skip


def test_our_own_files_at_every_fifth(small_store: tuple[str, dict[str, str]]) -> None:
    """Found by verify, refused at reuse: every file of the store, whatever the place."""
    look(small_store, range(3, 100, 20))


@pytest.mark.soak
def test_our_own_files_at_every_percent(small_store: tuple[str, dict[str, str]]) -> None:
    """The same at every percent."""
    look(small_store, mutations.PERCENTS)


def test_crafted_offsets_in_an_arrow_file_are_never_followed(small_store: tuple[str, dict[str, str]]) -> None:
    """A part whose text offsets point far out of its buffers is refused before anything is made of them."""
    import pyarrow as pa

    from corpusmill.dataset.part import read_part
    from corpusmill.dataset.store import FileRef, Store

    uri, kinds = small_store
    path = Path(uri) / kinds["part"]
    whole = path.read_bytes()
    sink, text = pa.BufferOutputStream(), pa.array(["x" * 77], pa.large_string())
    with pa.ipc.new_file(sink, pa.schema([("text", text.type)])) as writer:
        writer.write_batch(pa.record_batch([text], ["text"]))
    honest, far = ((0).to_bytes(8, "little") + end.to_bytes(8, "little") for end in (77, 1 << 40))
    crafted = sink.getvalue().to_pybytes().replace(honest, far)
    assert pa.ipc.open_file(crafted).get_batch(0).num_rows == 1, "Arrow itself does not look at offsets"
    path.write_bytes(crafted)
    try:
        with pytest.raises(ChecksumError):
            list(read_part(Store(uri), FileRef(path.stem, len(whole)), ["text"]))
    finally:
        path.write_bytes(whole)


def test_the_figures_are_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `make reliability` writes: a row for each format and change, each as wide as the columns."""
    monkeypatch.setattr(mutations, "PERCENTS", range(50, 51))
    monkeypatch.setattr(mutations, "_in_child", lambda index: [[FORMATS_BY_PLACE[index], "bit", *[0] * 7]])
    told = mutations.measure()
    assert {len(row) for row in told["rows"]} == {len(told["columns"])}
    assert {row[0] for row in told["rows"]} >= {*FORMATS, "store: part"}
    assert [words for words in told["failed"] if words.startswith("store")] == []


FORMATS_BY_PLACE: Callable[[int], str] | Any = [one.name for one in mutated_inputs.FORMATS]
