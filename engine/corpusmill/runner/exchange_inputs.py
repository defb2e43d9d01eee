"""What the units of an exchange read, as one list object: key files with their masks, rank and evidence by part."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from corpusmill.dataset.manifest import Entry
from corpusmill.dataset.selection import Selection, read_selection
from corpusmill.dataset.store import FileRef, Store
from corpusmill.errors import StoreError
from corpusmill.exchange.part_rows import Columns, MappedColumns, PartRows
from corpusmill.exchange.ranged_columns import BlockCache, RangedColumns
from corpusmill.exchange.row_table import RowTable
from corpusmill.exchange.sketch_file import SketchFile

WHOLE_BYTES = 1 << 20
"""Row data up to this size is fetched whole from an object store, and held against its checksum."""


def rows_listed(entries: Sequence[Entry], bases: Sequence[int], sketches: Sequence[Any]) -> dict[str, Any]:
    """Return the rows of all parts as they stand in a list object: how many, their row data, whether it ranks."""
    rows = [[entry.part.rows, one["rows"], one.get("ranked")] for entry, one in zip(entries, sketches, strict=True)]
    return {"rows": rows, "bases": list(bases)}


def row_table(store: Store, listed: Mapping[str, Any], preferred: int) -> RowTable:
    """Return rank and evidence of all rows; a part's file is opened when one of its rows is asked for."""
    cache = BlockCache()
    sources = [PartRows(rows, _opener(store, file, cache), ranked) for rows, file, ranked in listed["rows"]]
    return RowTable(sources, listed["bases"], preferred)


def key_files(store: Store, listed: Mapping[str, Any]) -> tuple[list[SketchFile], list[int], list[Any]]:
    """Return the key files of a join, the number of each one's first row, and the mask of its rows or None."""
    sketches = [SketchFile(store.path(FileRef.from_json(file))) for file, _, _ in listed["keys"]]
    chosen = [Selection.from_json(selection) for _, _, selection in listed["keys"]]
    masks = [None if one is None else read_selection(store, one) for one in chosen]
    return sketches, [base for _, base, _ in listed["keys"]], masks


def _opener(store: Store, file: Any, cache: BlockCache) -> Callable[[], Columns] | None:
    if file is None:
        return None
    reference = FileRef.from_json(file)
    if store.storage.remote and reference.bytes > WHOLE_BYTES:
        return lambda: RangedColumns(reference.name, reference.bytes, partial(_read, store, reference), cache)
    return lambda: MappedColumns(store.path(reference))


def _read(store: Store, reference: FileRef, start: int, stop: int) -> bytes:
    try:
        data = store.storage.read_range(reference.name, start, stop)
    except FileNotFoundError:
        data = b""
    if len(data) < stop - start:
        raise StoreError(
            f"a file that a commit names is gone or cut short: {reference.name}",
            where=store.uri,
            expected=f"{reference.bytes} bytes",
            hint="run the same command again; the work that made it is redone",
        )
    return data
