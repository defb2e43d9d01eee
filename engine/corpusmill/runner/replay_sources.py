"""The row of one document as it stood before a pass: taken from a part of a dataset, or read again from its file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.dataset.manifest import Dataset
from corpusmill.dataset.part import read_part
from corpusmill.dataset.schema import ENGINE_COLUMNS, SPLIT, canonical_schema
from corpusmill.dataset.selection import read_selection
from corpusmill.dataset.store import Store
from corpusmill.errors import CorruptFile, InputError
from corpusmill.ledger.counts import StepCounts
from corpusmill.ledger.quarantine import Quarantine
from corpusmill.plugin.reader import ReadLimits
from corpusmill.runner.files import LocalFile, find_files
from corpusmill.runner.id_index import Asked, narrowed
from corpusmill.runner.source_files import FileIndex
from corpusmill.runner.sources import file_batches, range_hash

_LIMITS = asdict(
    ReadLimits(max_document_bytes=1 << 40, max_json_depth=1 << 20, max_expansion=1 << 40, max_expanded_bytes=None)
)
"""What the run read was within its limits, so reading it again needs none."""


@dataclass(frozen=True)
class Match:
    """Which row is meant: by id, or (the parent of a derived row) by the place it was read from."""

    id: str | None = None
    file: str | None = None
    offset: int | None = None

    @property
    def columns(self) -> list[str]:
        """The columns that `rows` needs."""
        return ["id"] if self.id is not None else ["file", "offset"]

    @property
    def asked(self) -> Asked:
        """The same for the index, which says in which parts to look."""
        if self.id is not None:
            return Asked("id", prefix=self.id)
        return Asked("place", place=(str(self.file), int(self.offset or 0)))

    def rows(self, batch: pa.RecordBatch) -> np.ndarray:
        """Return bool (rows,): True where the row fits."""
        if self.id is not None:
            found = pc.equal(batch.column("id"), self.id)
        else:
            found = pc.and_(pc.equal(batch.column("file"), self.file), pc.equal(batch.column("offset"), self.offset))
        return np.asarray(pc.fill_null(found, False).to_numpy(zero_copy_only=False), bool)


def dataset_row(dataset: Dataset, match: Match, split: str | None = None, *, any_row: bool = False) -> Any:
    """Return the row of a dataset that fits, a batch of one row, or None; `any_row` takes rows not selected too."""
    if not set(match.columns) <= set(dataset.schema.names):
        return None
    for entry in narrowed(dataset, match.asked).entries:
        mask = read_selection(dataset.store, entry.selection) if entry.selection and not any_row else None
        first = 0
        for place, batch in enumerate(read_part(dataset.store, entry.part.file, match.columns)):
            found = match.rows(batch)
            if mask is not None:
                found &= mask[first : first + batch.num_rows]
            first += batch.num_rows
            for row in np.flatnonzero(found):
                whole = next(islice(read_part(dataset.store, entry.part.file), place, None)).slice(int(row), 1)
                if split is None or whole.column(SPLIT)[0].as_py() == split:
                    return whole
    return None


def file_row(reader: Any, recipe: Mapping[str, Any], store: Store, file: str, offset: int) -> Any:
    """Read the file again and return the document's row, a batch of one row.

    Raises InputError when the file is gone, changed since the run read it, or no longer holds the document.
    """
    found = _find(reader, Path(recipe["base"]), file)
    match = Match(file=file, offset=offset)
    schema = canonical_schema({**reader.adds(), **ENGINE_COLUMNS})
    for start, stop, expected in _ranges(reader, recipe, store, found, offset):
        source = {
            "ranges": [[file, found.path, start, stop, expected, found.size]],
            "limits": _LIMITS,
            "skip": [],
        }
        for batch in file_batches(reader, source, schema, StepCounts(), Quarantine()):
            for row in np.flatnonzero(match.rows(batch)):
                return batch.slice(int(row), 1)
    raise InputError(f"{file!r} no longer holds this document at {offset}", where=found.path)


def _find(reader: Any, base: Path, file: str) -> LocalFile:
    try:
        files = find_files(reader.options.paths, base)
    except InputError:
        files = []
    for one in files:
        if one.name == file:
            return one
    raise InputError(f"the input file {file!r} is gone", where=str(base))


def _ranges(
    reader: Any, recipe: Mapping[str, Any], store: Store, file: LocalFile, offset: int
) -> Iterator[tuple[int, int, str]]:
    """Yield (start, stop, hash) of the file's ranges as the run saw them, the likeliest to hold `offset` first."""
    recorded = FileIndex(store, dict(recipe), reader).recorded(file.path)
    if recorded is not None:
        cuts = [(one.start, one.stop, one.hash) for one in recorded]
    else:
        cuts = [(start, stop, range_hash(reader, file, start, stop)) for start, stop in reader.ranges(file)]
    likely = sorted(cuts, key=lambda one: not one[0] <= offset < one[1])
    for start, stop, expected in likely:
        try:
            if range_hash(reader, file, start, stop) != expected:
                raise InputError(f"the input file {file.name!r} changed since the run read it", where=file.path)
        except OSError as error:
            raise CorruptFile(file.name, f"cannot be read ({error.strerror or error})") from error
        yield start, stop, expected


def differing_columns(left: pa.RecordBatch, right: pa.RecordBatch, names: Sequence[str]) -> list[str]:
    """Return the columns in which two rows differ; floating-point values are left out, for models vary in them."""
    return [
        name
        for name in names
        if name in left.schema.names
        and not pa.types.is_floating(right.schema.field(name).type)
        and left.column(name)[0].as_py() != right.column(name)[0].as_py()
    ]
