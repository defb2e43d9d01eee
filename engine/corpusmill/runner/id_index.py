"""The sorted index of documents: which of many files may hold an id or a place, so that a search opens few of them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.dataset.listing import publish_list
from corpusmill.dataset.manifest import Dataset
from corpusmill.dataset.part import read_table, write_table
from corpusmill.dataset.store import FileRef, Store, make_key
from corpusmill.errors import NotDeterministicError, StoreError
from corpusmill.exchange.column_file import read_columns, write_columns
from corpusmill.exchange.grouping import content_groups

FEW = 16
"""Lists shorter than this are read: opening their files costs less than an index."""
SMALLEST, LARGEST = 128, 256
"""Files that share one index: 256 shards of 100,000 documents are sorted in half a gigabyte."""
_VERSION = 1
_DIGITS = 16
"""Hex digits of an id that its key holds."""
_NIBBLES = np.full(256, 255, np.uint8)
_NIBBLES[np.frombuffer(b"0123456789abcdef", np.uint8)] = np.arange(16)
_NAMES = pa.schema([("name", pa.large_string()), ("file", pa.uint16())])
_Keys = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Asked:
    """What is looked for: the start of an id in a column of ids (`id`, `other`), or a place (file, offset)."""

    column: str
    prefix: str = ""
    place: tuple[str, int] | None = None

    @property
    def columns(self) -> list[str]:
        """The columns that decide."""
        return ["file", "offset"] if self.place is not None else [self.column]


def possible_files(store: Store, files: Sequence[FileRef], asked: Asked) -> list[int]:
    """Return the positions of the files that may hold what is asked for, ascending; a file too many does no harm.

    Indexes are made when they are first asked for, and committed; where that cannot be done (a store that may not
    be written to, a file that is gone) every file is possible, and reading it says what is wrong.
    """
    if len(files) < FEW:
        return list(range(len(files)))
    found: list[int] = []
    for group in content_groups([one.checksum for one in files], smallest=SMALLEST, largest=LARGEST):
        members = files[group]
        try:
            local = _Index(store, _committed(store, members, asked)).members(asked)
        except NotDeterministicError:
            raise
        except StoreError:
            local = list(range(len(members)))
        found += [group.start + one for one in local]
    store.gather(least=FEW)  # a hundred indexes have a hundred records
    return found


def narrowed(dataset: Dataset, asked: Asked) -> Dataset:
    """Return a dataset with only those parts that may hold what is asked for."""
    possible = possible_files(dataset.store, [entry.part.file for entry in dataset.entries], asked)
    return replace(dataset, entries=tuple(dataset.entries[place] for place in possible))


class _Index:
    """Sorted keys of some files' rows, and sorted names of those ids that are no hex digits."""

    def __init__(self, store: Store, record: dict[str, Any]):
        self._store, self._record = store, record

    def members(self, asked: Asked) -> list[int]:
        """Return the numbers of the files that may fit."""
        if asked.place is not None:
            key = int(_place_keys(pa.array([asked.place[0]]), np.array([asked.place[1]], np.int64))[0])
            return sorted(self._between(key, key))
        return sorted(self._hex(asked.prefix) | self._named(asked.prefix))

    def _hex(self, prefix: str) -> set[int]:
        digits = prefix[:_DIGITS]
        if set(digits) - set("0123456789abcdef"):
            return set()
        free = 4 * (_DIGITS - len(digits))
        low = int(digits or "0", 16) << free
        return self._between(low, low + (1 << free) - 1)

    def _between(self, low: int, high: int) -> set[int]:
        columns, _ = read_columns(self._store.path(FileRef.from_json(self._record["keys"])))
        start = np.searchsorted(columns["key"], np.uint64(low), side="left")
        stop = np.searchsorted(columns["key"], np.uint64(high), side="right")
        return set(np.unique(columns["file"][start:stop]).tolist())

    def _named(self, prefix: str) -> set[int]:
        if self._record["names"] is None:
            return set()
        table = read_table(self._store, FileRef.from_json(self._record["names"]))
        names, files = table["name"].chunk(0), table["file"].chunk(0)
        found: set[int] = set()
        for row in range(bisect_left(range(len(names)), prefix, key=lambda one: names[one].as_py()), len(names)):
            if not names[row].as_py().startswith(prefix):
                break
            found.add(files[row].as_py())
        return found


def _committed(store: Store, members: Sequence[FileRef], asked: Asked) -> dict[str, Any]:
    """Return the record of the index of these files, made now if nobody asked before."""
    kind = "place" if asked.place is not None else asked.column
    key = make_key("find", _VERSION, kind, [one.checksum for one in members])
    record = store.committed(key)
    if record is not None:
        if store.has_files([FileRef.from_json(record[name]) for name in ("keys", "names") if record[name]]):
            return record
        store.forget(key)
    record = store.commit(key, _build(store, members, asked), operators="engine.find")
    store.commits.alone.add(key)
    return record


def _build(store: Store, members: Sequence[FileRef], asked: Asked) -> dict[str, Any]:
    keys: list[_Keys] = []
    counts: list[int] = []
    named: list[pa.Table] = []
    for number, file in enumerate(members):
        before = len(keys)
        for batch in _rows(store, file, asked.columns):
            own, others = _row_keys(batch, asked)
            keys.append(own)
            named.append(pa.table([others, np.full(len(others), number, np.uint16)], schema=_NAMES))
        counts.append(sum(one.size for one in keys[before:]))
    every = np.concatenate([np.empty(0, np.uint64), *keys])
    files = np.repeat(np.arange(len(members), dtype=np.uint16), counts)
    order = np.argsort(every, kind="stable")
    path = store.scratch(".arrow")
    write_columns(path, {"key": every[order], "file": files[order]}, {})
    names = pa.concat_tables([_NAMES.empty_table(), *named]).sort_by([("name", "ascending"), ("file", "ascending")])
    return {
        # What it was made of: an index of files that nothing names any more serves nobody.
        "of": publish_list(store, [one.to_json() for one in members]).to_json(),
        "keys": store.publish(path).to_json(),
        "names": write_table(store, names, codec=None).to_json() if names.num_rows else None,
    }


def _rows(store: Store, file: FileRef, columns: list[str]) -> Any:
    """Yield batches of these columns; nothing for a file that lacks one of them."""
    with pa.memory_map(str(store.path(file))) as source:
        names = pa.ipc.open_file(source).schema.names
        if not set(columns) <= set(names):
            return
        options = pa.ipc.IpcReadOptions(included_fields=sorted(names.index(one) for one in columns), use_threads=False)
        reader = pa.ipc.open_file(source, options=options)
        for place in range(reader.num_record_batches):
            yield reader.get_batch(place)


def _row_keys(batch: pa.RecordBatch, asked: Asked) -> tuple[_Keys, pa.Array]:
    """Return the keys of a batch's rows, and the ids that have none; rows without an id or a place have neither."""
    if asked.place is None:
        return _id_keys(batch.column(asked.column).drop_null().cast(pa.large_string()))
    whole = batch.filter(pc.and_(pc.is_valid(batch.column("file")), pc.is_valid(batch.column("offset"))))
    offsets = np.asarray(whole.column("offset").to_numpy(zero_copy_only=False), np.int64)
    return _place_keys(whole.column("file"), offsets), pa.array([], pa.large_string())


def _id_keys(ids: pa.Array) -> tuple[_Keys, pa.Array]:
    """Return the first 16 digits of ids of 32 hex digits as numbers, so that a prefix is a range, and all other ids."""
    wide = np.asarray(pc.equal(pc.binary_length(ids), 32).to_numpy(zero_copy_only=False), bool)
    taken = pa.concat_arrays([ids.filter(pa.array(wide))])
    data = np.frombuffer(taken.buffers()[2] or b"", np.uint8, 32 * len(taken)).reshape(-1, 32)
    nibbles = _NIBBLES[data[:, :_DIGITS]]
    hexadecimal = (nibbles < 16).all(axis=1)
    keys = np.zeros(int(hexadecimal.sum()), np.uint64)
    for digit in range(_DIGITS):
        keys = (keys << np.uint64(4)) | nibbles[hexadecimal, digit].astype(np.uint64)
    other = np.ones(len(ids), bool)
    other[np.flatnonzero(wide)[hexadecimal]] = False
    return keys, ids.filter(pa.array(other))


def _place_keys(files: pa.Array, offsets: npt.NDArray[np.int64]) -> _Keys:
    """Return one number for each place: the file's hash and the offset, mixed (splitmix64)."""
    from xxhash import xxh3_64_intdigest

    coded = files.cast(pa.large_string()).dictionary_encode()
    hashes = np.array([xxh3_64_intdigest(one.encode()) for one in coded.dictionary.to_pylist()], np.uint64)
    salts = hashes[coded.indices.to_numpy()] if len(coded) else np.empty(0, np.uint64)
    mixed: _Keys = offsets.view(np.uint64) * np.uint64(0x9E3779B97F4A7C15) ^ salts
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    return mixed ^ (mixed >> np.uint64(27))
