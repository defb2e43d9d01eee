"""What the units of an exchange read, as one list object: key files with their masks, rank and evidence by part."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from corpusmill.dataset.manifest import Entry
from corpusmill.dataset.selection import Selection, read_selection
from corpusmill.dataset.store import FileRef, Store
from corpusmill.errors import LostFile
from corpusmill.exchange.join import KeySource
from corpusmill.exchange.part_rows import Columns, MappedColumns, PartRows
from corpusmill.exchange.ranged_columns import BlockCache, RangedColumns
from corpusmill.exchange.ranged_keys import RangeKeys
from corpusmill.exchange.row_table import RowTable
from corpusmill.exchange.sketch_file import SketchFile

WHOLE_BYTES = 1 << 20
"""Files up to this size are fetched whole from an object store, and held against their checksums."""
_KEY_BLOCKS = 1 << 20
_THREADS = 8


def rows_listed(entries: Sequence[Entry], bases: Sequence[int], sketches: Sequence[Any]) -> dict[str, Any]:
    """Return the rows of all parts as they stand in a list object: how many, their row data, whether it ranks."""
    rows = [[entry.part.rows, one["rows"], one.get("ranked")] for entry, one in zip(entries, sketches, strict=True)]
    return {"rows": rows, "bases": list(bases)}


def row_table(store: Store, listed: Mapping[str, Any], preferred: int) -> RowTable:
    """Return rank and evidence of all rows; a part's file is opened when one of its rows is asked for."""
    cache = BlockCache()
    sources = [PartRows(rows, _opener(store, file, cache), ranked) for rows, file, ranked in listed["rows"]]
    return RowTable(sources, listed["bases"], preferred)


def key_sources(
    store: Store, listed: Mapping[str, Any], low: int, high: int
) -> tuple[list[KeySource], list[int], list[Any]]:
    """Return the keys of a join of [low, high), the number of each source's first row, the mask of its rows or None.

    Files are mapped; of a large one on an object store the range's keys alone are fetched.
    """
    with ThreadPoolExecutor(_THREADS) as pool:
        sources = list(pool.map(lambda one: _key_source(store, FileRef.from_json(one[0]), low, high), listed["keys"]))
    chosen = [Selection.from_json(selection) for _, _, selection in listed["keys"]]
    masks = [None if one is None else read_selection(store, one) for one in chosen]
    return sources, [base for _, base, _ in listed["keys"]], masks


def _key_source(store: Store, file: FileRef, low: int, high: int) -> KeySource:
    if _in_ranges(store, file):
        return RangeKeys(_ranged(store, file, BlockCache(_KEY_BLOCKS)), low, high)
    return SketchFile(store.path(file))


def _opener(store: Store, file: Any, cache: BlockCache) -> Callable[[], Columns] | None:
    if file is None:
        return None
    reference = FileRef.from_json(file)
    if _in_ranges(store, reference):
        return lambda: _ranged(store, reference, cache)
    return lambda: MappedColumns(store.path(reference))


def _in_ranges(store: Store, file: FileRef) -> bool:
    return store.storage.remote and file.bytes > WHOLE_BYTES


def _ranged(store: Store, file: FileRef, cache: BlockCache) -> RangedColumns:
    return RangedColumns(file.name, file.bytes, partial(_read, store, file), cache)


def _read(store: Store, reference: FileRef, start: int, stop: int) -> bytes:
    try:
        data = store.storage.read_range(reference.name, start, stop)
    except FileNotFoundError:
        data = b""
    if len(data) < stop - start:
        raise LostFile(
            f"a file that a commit names is gone or cut short: {reference.name}",
            where=store.uri,
            expected=f"{reference.bytes} bytes",
            hint="run the pipeline again: the work that made it is redone",
        )
    return data
