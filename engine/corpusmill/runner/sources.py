"""Where a pass gets its rows: ranges of input files through a reader, or a part of a dataset."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from corpusmill.dataset.hashing import hash_stream
from corpusmill.dataset.manifest import Entry, entry_batches
from corpusmill.dataset.part import Part
from corpusmill.dataset.schema import conform
from corpusmill.dataset.selection import Selection
from corpusmill.dataset.store import Store
from corpusmill.errors import CorpusmillError, CorruptFile, InputError, OperatorError
from corpusmill.ledger.counts import StepCounts
from corpusmill.ledger.quarantine import RAW_BYTES, Quarantine
from corpusmill.plugin.reader import ReadLimits, Slice
from corpusmill.runner.files import LocalFile
from corpusmill.runner.hashed_file import HashedFile, WatchedFile
from corpusmill.runner.places import place_ids, with_places
from corpusmill.runner.whole_call import check_place


def part_batches(store: Store, source: Mapping[str, Any], schema: pa.Schema) -> Generator[pa.RecordBatch]:
    """Yield the selected rows of a dataset's part, with the columns of the union it belongs to."""
    entry = Entry(Part.from_json(source["part"]), Selection.from_json(source["selection"]))
    for batch in entry_batches(store, entry, split=source["split"]):
        yield conform(batch, schema)


def file_batches(
    reader: Any,
    source: Mapping[str, Any],
    schema: pa.Schema,
    counts: StepCounts,
    quarantine: Quarantine,
    limit: int | None = None,
) -> Generator[pa.RecordBatch]:
    """Yield the documents of a shard's file ranges with the engine's columns; bad records go to quarantine.

    With a `limit` reading ends at that document, and bad records behind it count as not read, whatever the reader
    looked at with them. Raises CorruptFile for a damaged file and InputError for one that changed since it was hashed.
    """
    limits = ReadLimits(**source["limits"])
    for name, path, start, stop, expected, size in source["ranges"]:
        if name in source["skip"]:
            continue
        if limit is not None and limit <= 0:
            return
        file = _checked_file(reader, LocalFile(name, path, size), start, stop, expected)
        rejects = _Rejects(reader.input_name, name, counts, quarantine)
        with contextlib.closing(_read(reader, Slice(file, start, stop, limits), rejects, expected)) as batches:
            for batch in batches if limit is None else _first(batches, limit):
                if batch.num_rows:
                    counts.rows_in += batch.num_rows
                    counts.rows_out += batch.num_rows
                    limit = None if limit is None else limit - batch.num_rows
                    rejects.settle(int(batch.column("offset")[-1].as_py()) if limit == 0 else None)
                    yield conform(with_places(batch, reader, name), schema)
        if limit is None or limit > 0:
            rejects.settle()


def damaged_files(reader: Any, source: Mapping[str, Any]) -> Iterator[CorruptFile]:
    """Read a shard's files for nothing but their damage, and yield what is damaged; those of `skip` are left out."""
    limits = ReadLimits(**source["limits"])
    skip = set(source["skip"])
    for name, path, start, stop, expected, size in source["ranges"]:
        if name in skip:
            continue
        try:
            file = _checked_file(reader, LocalFile(name, path, size), start, stop, expected)
            rejects = _Rejects(reader.input_name, name, StepCounts(), Quarantine())
            for _ in _read(reader, Slice(file, start, stop, limits), rejects, expected):
                pass
        except CorruptFile as error:
            skip.add(name)
            yield error


def limited(batches: Generator[pa.RecordBatch], limit: int | None) -> Iterator[pa.RecordBatch]:
    """Yield at most `limit` rows."""
    if limit is None:
        yield from batches
        return
    with contextlib.closing(batches):
        yield from _first(batches, limit)


def _first(batches: Iterable[pa.RecordBatch], limit: int) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        yield batch.slice(0, limit)
        limit -= batch.num_rows
        if limit <= 0:
            return


def range_hash(reader: Any, file: LocalFile, start: int, stop: int) -> str:
    """Return the hash of the bytes that decide a range's rows: the range itself, or the file if it counts otherwise."""
    with file.open() as stream:
        if reader.counts != "bytes":
            return hash_stream(stream, file.size)[0]
        stream.seek(start)
        return hash_stream(stream, stop - start)[0]


class _Rejects:
    """Counts and quarantines the records that a reader turns away, once it is known that they are read."""

    def __init__(self, source: str, file: str, counts: StepCounts, quarantine: Quarantine):
        self._source, self._file, self._counts, self._quarantine = source, file, counts, quarantine
        self._held: list[dict[str, Any]] = []

    def __call__(self, raw: bytes, offset: int, reason: str, detail: str = "", length: int | None = None) -> None:
        # A reader may hand out a view of its buffer; what is kept is cut to size here.
        record = {"raw": bytes(raw[:RAW_BYTES]), "length": len(raw) if length is None else length}
        self._held.append({"offset": offset, "reason": reason, "detail": detail, **record})

    def settle(self, before: int | None = None) -> None:
        """Take the held records; with `before`, only those at lower offsets, and forget the others."""
        held, self._held = self._held, []
        taken = [one for one in held if before is None or one["offset"] < before]
        if not taken:
            return
        ids = place_ids(self._source, self._file, np.array([one["offset"] for one in taken], np.int64)).to_pylist()
        for one, name in zip(taken, ids, strict=True):
            self._counts.rows_in += 1
            self._counts.quarantine(one["reason"])
            self._quarantine.add(file=self._file, id=name, **one)


def _read(reader: Any, part: Slice, reject: Any, expected: str) -> Generator[pa.RecordBatch]:
    """Yield what the reader makes of a slice; raise InputError if its bytes are no longer those it was cut from."""
    try:
        yield from reader.read(part, reject)
    except (CorruptFile, GeneratorExit):
        _expect_unchanged(part, reader.counts, expected)
        raise
    except CorpusmillError:
        raise
    except OSError as error:
        _expect_unchanged(part, reader.counts, expected)
        raise InputError(f"cannot read {part.file.name!r}: {error.strerror or error}", where=part.file.name) from error
    except Exception as error:
        _expect_unchanged(part, reader.counts, expected)
        raise OperatorError(
            f"reader {type(reader).__name__} raised {type(error).__name__}: {error}",
            where=f"step {reader.context.step}, {part.file.name}, {reader.counts} {part.start} to {part.stop}",
            expected="readers raise CorruptFile for damaged files and reject bad records",
            hint=check_place(type(reader)),
        ) from error
    _expect_unchanged(part, reader.counts, expected)


def _checked_file(reader: Any, file: LocalFile, start: int, stop: int, expected: str) -> HashedFile | WatchedFile:
    """Return the file as its reader gets it: hashed while it is read, or before where ranges count no bytes."""
    place = f"{reader.counts} {start} to {stop}"
    try:
        if reader.counts == "bytes":
            file.open().close()
            return HashedFile(file, start, stop)
        watched = WatchedFile(file)
        found = range_hash(reader, file, start, stop)
    except FileNotFoundError as error:
        raise _changed(file, place, "is gone since the run looked at it") from error
    except OSError as error:
        raise CorruptFile(file.name, f"cannot be read ({error.strerror or error})") from error
    if found != expected or not watched.still_holds(expected):
        raise _changed(file, place)
    return watched


def _expect_unchanged(part: Slice, counts: str, expected: str) -> None:
    file, place = part.file, f"{counts} {part.start} to {part.stop}"
    if not isinstance(file, HashedFile | WatchedFile):
        return
    try:
        if file.still_holds(expected):
            return
    except FileNotFoundError as error:
        raise _changed(file, place, "is gone since the run looked at it") from error
    except OSError as error:
        raise InputError(f"cannot read {file.name!r}: {error.strerror or error}", where=file.path) from error
    raise _changed(file, place)


def _changed(
    file: LocalFile | HashedFile | WatchedFile, place: str, how: str = "changed while the run was reading it"
) -> InputError:
    return InputError(
        f"{file.name!r} {how}",
        where=f"{file.path}, {place}",
        expected="input files that stay as they are during a run",
        hint="run the same command again; finished work is kept",
    )
