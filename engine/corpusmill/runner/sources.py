"""Where a pass gets its rows: ranges of input files through a reader, or a part of a dataset."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator, Mapping
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
from corpusmill.ledger.quarantine import Quarantine
from corpusmill.plugin.reader import ReadLimits, Slice
from corpusmill.runner.files import LocalFile
from corpusmill.runner.hashed_file import HashedFile
from corpusmill.runner.places import place_ids, with_places


def part_batches(store: Store, source: Mapping[str, Any], schema: pa.Schema) -> Generator[pa.RecordBatch]:
    """Yield the selected rows of a dataset's part, with the columns of the union it belongs to."""
    entry = Entry(Part.from_json(source["part"]), Selection.from_json(source["selection"]))
    for batch in entry_batches(store, entry, split=source["split"]):
        yield conform(batch, schema)


def file_batches(
    reader: Any, source: Mapping[str, Any], schema: pa.Schema, counts: StepCounts, quarantine: Quarantine
) -> Generator[pa.RecordBatch]:
    """Yield the documents of a shard's file ranges with the engine's columns; bad records go to quarantine.

    Raises CorruptFile for a damaged file and InputError for one that changed since it was hashed.
    """
    limits = ReadLimits(**source["limits"])
    for name, path, start, stop, expected, size in source["ranges"]:
        if name in source["skip"]:
            continue
        file = _checked_file(reader, LocalFile(name, path, size), start, stop, expected)
        reject = _Rejects(reader.input_name, name, counts, quarantine)
        with contextlib.closing(_read(reader, Slice(file, start, stop, limits), reject, expected)) as batches:
            for batch in batches:
                if batch.num_rows:
                    counts.rows_in += batch.num_rows
                    counts.rows_out += batch.num_rows
                    yield conform(with_places(batch, reader, name), schema)


def limited(batches: Generator[pa.RecordBatch], limit: int | None) -> Iterator[pa.RecordBatch]:
    """Yield at most `limit` rows."""
    if limit is None:
        yield from batches
        return
    with contextlib.closing(batches):
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
    """Counts and quarantines the records that a reader turns away."""

    def __init__(self, source: str, file: str, counts: StepCounts, quarantine: Quarantine):
        self._source, self._file, self._counts, self._quarantine = source, file, counts, quarantine

    def __call__(self, raw: bytes, offset: int, reason: str, detail: str = "", length: int | None = None) -> None:
        self._counts.rows_in += 1
        self._counts.quarantine(reason)
        self._quarantine.add(
            file=self._file,
            offset=offset,
            reason=reason,
            detail=detail,
            raw=raw,
            length=length,
            id=place_ids(self._source, self._file, np.array([offset], np.int64))[0].as_py(),
        )


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
        raise InputError(f"cannot read {part.file.name!r}: {error.strerror or error}", where=part.file.name) from error
    except Exception as error:
        raise OperatorError(
            f"reader {type(reader).__name__} raised {type(error).__name__}: {error}",
            where=f"{part.file.name}, {reader.counts} {part.start} to {part.stop}",
            expected="readers raise CorruptFile for damaged files and reject bad records",
            hint="corpusmill plugins show the reader, and report this to its owner",
        ) from error
    _expect_unchanged(part, reader.counts, expected)


def _checked_file(reader: Any, file: LocalFile, start: int, stop: int, expected: str) -> LocalFile | HashedFile:
    """Return the file as its reader gets it: hashed while it is read, or before where ranges count no bytes."""
    try:
        if reader.counts == "bytes":
            file.open().close()
            return HashedFile(file, start, stop)
        found = range_hash(reader, file, start, stop)
    except OSError as error:
        raise CorruptFile(file.name, f"cannot be read ({error.strerror or error})") from error
    if found != expected:
        raise _changed(file, f"{reader.counts} {start} to {stop}")
    return file


def _expect_unchanged(part: Slice, counts: str, expected: str) -> None:
    file = part.file
    if isinstance(file, HashedFile) and file.hexdigest() != expected:
        raise _changed(file, f"{counts} {part.start} to {part.stop}")


def _changed(file: LocalFile | HashedFile, place: str) -> InputError:
    return InputError(
        f"{file.name!r} changed while the run was reading it",
        where=f"{file.path}, {place}",
        expected="input files that stay as they are during a run",
        hint="run the same command again; finished work is kept",
    )
