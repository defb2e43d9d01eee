"""Datasets: an ordered list of parts with selections; one exists if and only if its manifest does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.dataset.hashing import canonical_json, hash_json
from corpusmill.dataset.part import Part, read_part, read_table, write_table
from corpusmill.dataset.schema import SPLIT, conform, describe_schema
from corpusmill.dataset.selection import Selection, read_selection
from corpusmill.dataset.store import FORMAT, FileRef, Store, damaged_manifest, expect_format, read_manifest


@dataclass(frozen=True)
class Entry:
    """One part of a dataset with its selection; `splits` counts its selected rows by label."""

    part: Part
    selection: Selection | None = None
    splits: Mapping[str, int] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Rows that count."""
        return self.part.rows if self.selection is None else self.selection.selected

    def identity(self) -> list[str | None]:
        """Return [part digest, selection digest]: what stands for this content in keys."""
        return [self.part.digest, self.selection.digest if self.selection else None]


@dataclass(frozen=True)
class Dataset:
    """Documents in the store, in order."""

    store: Store
    digest: str
    schema: pa.Schema
    entries: tuple[Entry, ...]

    @property
    def rows(self) -> int:
        """Rows that count, over all parts."""
        return sum(entry.rows for entry in self.entries)

    @property
    def splits(self) -> dict[str, int]:
        """Split label -> rows; empty without labels."""
        totals: dict[str, int] = {}
        for entry in self.entries:
            for label, rows in entry.splits.items():
                totals[label] = totals.get(label, 0) + rows
        return totals

    def batches(self, columns: Sequence[str] | None = None, split: str | None = None) -> Iterator[pa.RecordBatch]:
        """Yield the selected rows in order; `split` keeps one label's rows."""
        for entry in self.entries:
            yield from entry_batches(self.store, entry, columns, split)

    @staticmethod
    def open(store: Store, digest: str) -> Dataset:
        """Open a published dataset; raises StoreError when there is none of it, ChecksumError for a damaged one."""
        name = f"datasets/{digest}/manifest.json"
        manifest = read_manifest(store, name, f"no dataset {digest!r} in the store")
        expect_format(manifest, f"dataset {digest}", f"{store.uri}/{name}")
        try:
            schema = pa.ipc.read_schema(pa.py_buffer(bytes.fromhex(manifest["arrow_schema"])))
            parts = FileRef.from_json(manifest["parts"])
        except (pa.ArrowException, OSError, LookupError, TypeError, ValueError) as error:  # JSON still, but another
            raise damaged_manifest(store, name) from error
        entries = tuple(_entry(row) for row in read_table(store, parts).to_pylist())
        if dataset_digest(schema, entries) != digest:
            raise damaged_manifest(store, name)
        return Dataset(store, digest, schema, entries)


def dataset_digest(schema: pa.Schema, entries: Sequence[Entry]) -> str:
    """Return the digest of a dataset: its schema and the ordered digests of parts and selections."""
    return hash_json([describe_schema(schema), [entry.identity() for entry in entries]])


def publish_dataset(store: Store, schema: pa.Schema, entries: Sequence[Entry]) -> Dataset:
    """Write the list of parts, then the manifest, last: only now the dataset exists."""
    digest = dataset_digest(schema, entries)
    dataset = Dataset(store, digest, schema, tuple(entries))
    parts = write_table(store, pa.Table.from_pylist(_rows(entries), schema=_PARTS))
    name, manifest = f"datasets/{digest}/manifest.json", canonical_json(manifest_of(dataset, parts))
    if store.record(name, manifest) not in (None, manifest):
        store.note(name, manifest)  # what stood there was damaged, or listed the same parts in a file that is gone
    return dataset


def manifest_of(dataset: Dataset, parts: FileRef) -> dict[str, Any]:
    """Return the manifest of a dataset whose list of parts is this file."""
    return {
        "format": FORMAT,
        "rows": dataset.rows,
        "splits": dataset.splits,
        "schema": describe_schema(dataset.schema),
        "arrow_schema": dataset.schema.serialize().to_pybytes().hex(),
        "parts": parts.to_json(),
    }


def entry_batches(
    store: Store, entry: Entry, columns: Sequence[str] | None = None, split: str | None = None
) -> Iterator[pa.RecordBatch]:
    """Yield the selected rows of one part, with only these columns."""
    wanted = list(columns) if columns is not None else None
    extra = wanted is not None and split is not None and SPLIT not in wanted
    mask = read_selection(store, entry.selection) if entry.selection else None
    start = 0
    for batch in read_part(store, entry.part.file, [*wanted, SPLIT] if wanted is not None and extra else wanted):
        rows = batch.num_rows
        if mask is not None:
            batch = batch.filter(pa.array(mask[start : start + rows]))
        start += rows
        if split is not None:
            batch = batch.filter(pc.fill_null(pc.equal(batch.column(SPLIT), split), False))
        if batch.num_rows:
            yield batch.select(wanted) if wanted is not None and extra else batch


def entry_rows(store: Store, entry: Entry, schema: pa.Schema, split: str | None = None) -> Iterator[pa.RecordBatch]:
    """Yield the selected rows of one part with exactly these columns, null where the part lacks one (unions)."""
    with pa.memory_map(str(store.path(entry.part.file))) as source:
        known = pa.ipc.open_file(source).schema.names
    present = [name for name in schema.names if name in known]
    for batch in entry_batches(store, entry, present or known[:1], split):
        yield conform(batch, schema)


_PARTS = pa.schema(
    [
        ("digest", pa.string()),
        ("rows", pa.int64()),
        ("file", pa.string()),
        ("selection", pa.string()),
        ("first_row", pa.int64()),
        ("splits", pa.string()),
    ]
)


def _rows(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    rows, first = [], 0
    for entry in entries:
        rows.append(
            {
                "digest": entry.part.digest,
                "rows": entry.part.rows,
                "file": canonical_json(entry.part.file.to_json()).decode(),
                "selection": canonical_json(entry.selection.to_json()).decode() if entry.selection else None,
                "first_row": first,
                "splits": canonical_json(dict(entry.splits)).decode(),
            }
        )
        first += entry.part.rows
    return rows


def _entry(row: dict[str, Any]) -> Entry:
    part = Part(row["digest"], row["rows"], FileRef.from_json(orjson.loads(row["file"])))
    selection = Selection.from_json(orjson.loads(row["selection"])) if row["selection"] else None
    return Entry(part, selection, orjson.loads(row["splits"]))
