"""A sample: the first rows of some input, read by the reader that fits, or out of a dataset."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from corpusmill.dataset.schema import ENGINE_COLUMNS, canonical_schema, conform
from corpusmill.errors import CorruptFile, InputError, PluginError, UsageError
from corpusmill.face import opening
from corpusmill.face.rows import as_table, with_engine_columns
from corpusmill.ledger.quarantine import Quarantine
from corpusmill.plugin.finder import load_registry
from corpusmill.plugin.operator import Context
from corpusmill.plugin.reader import ReadLimits, Slice
from corpusmill.plugin.resolve import resolve
from corpusmill.runner.files import LocalFile, find_files
from corpusmill.runner.places import with_places
from corpusmill.runner.promises import find_inputs

_FILES = 4
"""So many files of an input a sample is taken from, evenly spread."""
_PACKED = (".gz", ".zst")


@dataclass(frozen=True)
class Sample:
    """Rows with the engine's columns, the records that the reader turned away, and files that are damaged."""

    table: pa.Table
    rejected: tuple[Mapping[str, Any], ...] = ()
    damaged: tuple[str, ...] = ()


def sample_texts(texts: Sequence[str]) -> Sample:
    """Return texts as a sample."""
    return Sample(with_engine_columns(as_table(texts)))


def sample_reference(reference: str, rows: int, store: str) -> Sample:
    """Return the first rows of a dataset; `reference` as `corpusmill.open` takes it."""
    return Sample(with_engine_columns(opening.open(reference, store=store).head(rows)))


def sample_file(path: str, rows: int, column: str | None = None, also: Sequence[str] = ()) -> Sample:
    """Return the first rows of a file (or files, by a glob), read by the reader whose endings fit.

    `column`: the field with the text; it comes as `text`, and of the others only those in `also`. Without it all
    fields are read that the reader can give. Raises UsageError where no reader fits or no record has a text.
    """
    operator = _reader_for(path)
    options: dict[str, Any] = {"paths": [path]}
    if "columns" in operator.Options.model_fields:
        named = {name: name for name in also if name not in ("text", *ENGINE_COLUMNS)}
        options["columns"] = "all" if column is None else {"text": column, **named}
    reader = operator(operator.Options.model_validate(options), Context(step="sample", base=str(Path.cwd())))
    try:
        find_files(path, Path.cwd())
    except InputError as error:
        error.where, error.hint = None, "paths start from the current folder"
        raise
    try:
        sample = sample_reader(reader, rows, ReadLimits())
    except InputError as error:
        error.hint = "--column NAME names the field with the text"
        raise
    if not sample.table.num_rows and sample.rejected:
        first = sample.rejected[0]
        raise UsageError(
            f"no record of {path!r} can be read; the first: {first['reason']}",
            where=f"{first['file']}, at {first['offset']}",
            expected="records with a text",
            hint="--column NAME names the field with the text",
        )
    return sample


def sample_reader(reader: Any, rows: int, limits: ReadLimits) -> Sample:
    """Return the first rows of a reader's input: evenly from a few of its files, each from its start.

    Reads no further than it must, however large the input is. Ids are those that a run gives.
    """
    files = _spread(find_inputs(reader, Path(reader.context.base)))
    reader.prepare(files)
    schema = canonical_schema({**reader.adds(), **ENGINE_COLUMNS})
    quarantine, damaged = Quarantine(), []
    taken: list[pa.RecordBatch] = []
    for number, file in enumerate(files):
        wanted = rows - sum(batch.num_rows for batch in taken)
        share = -(-wanted // (len(files) - number))
        try:
            for batch in _first(reader, file, share, limits, quarantine):
                taken.append(conform(with_places(batch, reader, file.name), schema))
        except CorruptFile as error:
            damaged.append(f"{error.name}: {error.reason}")
    rejected = quarantine.table().to_pylist()
    return Sample(pa.Table.from_batches(taken, schema=schema), tuple(rejected), tuple(damaged))


def _first(
    reader: Any, file: LocalFile, rows: int, limits: ReadLimits, quarantine: Quarantine
) -> Iterator[pa.RecordBatch]:
    def reject(raw: bytes, offset: int, reason: str, detail: str = "", length: int | None = None) -> None:
        quarantine.add(file=file.name, offset=offset, reason=reason, detail=detail, raw=raw, length=length)

    for start, stop in [(0, 0)] if file.size == 0 else reader.ranges(file):
        for batch in reader.read(Slice(file, start, stop, limits), reject):
            yield batch.slice(0, rows)
            rows -= min(rows, batch.num_rows)
            if rows <= 0:
                return


def _spread(files: Sequence[LocalFile]) -> list[LocalFile]:
    if len(files) <= _FILES:
        return list(files)
    return [files[number * (len(files) - 1) // (_FILES - 1)] for number in range(_FILES)]


def _reader_for(path: str) -> Any:
    """Return the reader class with the longest ending that fits the file's name."""
    names = [path.lower(), *(path.lower().removesuffix(one) for one in _PACKED if path.lower().endswith(one))]
    fitting: list[tuple[int, Any]] = []
    endings: set[str] = set()
    for registered in load_registry().operators.values():
        if not registered.uses.startswith("read."):
            continue
        try:
            operator: Any = resolve(registered)
        except PluginError:
            continue  # its extra is not installed
        endings.update(operator.suffixes)
        lengths = [len(one) for one in operator.suffixes for name in names if name.endswith(one)]
        fitting += [(max(lengths), operator)] if lengths else []
    best = [operator for length, operator in fitting if length == max(one for one, _ in fitting)]
    if len(best) != 1:
        raise UsageError(
            f"no reader for {path!r}" if not best else f"several readers fit {path!r}",
            expected=f"a file that ends in {', '.join(sorted(endings))}, run:NAME/STEP or store:DIGEST",
        )
    return best[0]
