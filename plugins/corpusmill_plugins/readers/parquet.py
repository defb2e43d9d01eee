"""read.parquet: row groups of Parquet files, with one schema for all files and page checksums verified."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from corpusmill import CorruptFile, InputError, InputFile, Reader, Reject, Slice, option
from corpusmill_plugins.readers.columns import ColumnsOption, column_map
from corpusmill_plugins.readers.footer import RowGroup, row_groups
from corpusmill_plugins.readers.pages import largest_value, page_sizes
from corpusmill_plugins.readers.rows import checked_batch
from corpusmill_plugins.readers.schemas import Schemas, decode_schema, encode_schema
from corpusmill_plugins.readers.streams import Watched

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

BATCH_BYTES = 4 << 20
MOST_ROWS = 8192
LARGEST_BATCH = 64 << 20
"""Bytes that a batch may have at worst."""


class Parquet(Reader):
    """Read Parquet.

    Without `columns` only `text` is read. The schema comes from the footers of all files in order: safe widenings
    (int32 to int64, int to float) are taken, strings of every kind become large_string, a column that a file lacks
    is null there. A file whose column has another type, or that has no text column, counts as damaged. A null text
    stays null. `offset` is the row number in the file. Page checksums are verified where the file has them; without
    them a flipped bit inside a page may go unnoticed.
    Reasons of rejection: invalid-utf8, too-large, type-conflict.
    """

    suffixes = (".parquet",)
    counts = "row groups"

    class Options(Reader.Options):
        """Options of read.parquet."""

        columns: ColumnsOption = option(
            None, help="columns to read: a list, a map OURS: THEIRS, or all (those that are not nested); default text"
        )

    def __init__(self, *arguments: Any, **named: Any):
        super().__init__(*arguments, **named)
        wanted = self.options.columns
        self._schemas = Schemas(None if wanted == "all" else column_map(wanted, self.options.id))

    def adds(self) -> dict[str, pa.DataType]:
        """Return our columns; before `prepare` the types are a guess (large_string)."""
        return dict(self._schemas.types())

    def prepare(self, files: list[InputFile]) -> None:
        """Merge the schemas of all footers; damaged and conflicting files are left to `ranges`, which names them."""
        seen: tuple[str, list[str]] | None = None
        for file in files:
            try:
                with _opened(file) as opened:
                    schema = opened.parquet.schema_arrow
                    seen = seen or (file.name, schema.names)
                    self._schemas.add(file.name, schema)
            except CorruptFile:
                continue
        if seen and not self._schemas.merged:
            # Not left to on_corrupt_file: a misspelt column must not put a whole corpus into quarantine.
            raise InputError(
                f"no column {self._schemas.text_name!r} of text in any of {len(files)} files",
                where=seen[0],
                expected=f"one of its columns: {', '.join(seen[1][:20])}",
                hint="name the columns: `columns: {text: THEIR_NAME}`",
            )

    def state(self) -> dict[str, Any]:
        """Return the merged columns and types."""
        return {"columns": self._schemas.columns, "schema": encode_schema(self._schemas.merged)}

    def restore(self, state: dict[str, Any]) -> None:
        """Take columns and types merged elsewhere."""
        self._schemas = Schemas(state["columns"], decode_schema(state["schema"]))

    def ranges(self, file: InputFile) -> list[tuple[int, int]]:
        """Group row groups into ranges of about `shard` stored bytes."""
        with _opened(file) as opened:
            self._schemas.check(file.name, opened.parquet.schema_arrow)
            groups = row_groups(opened.raw, file.size, file.name)
        cuts, filled = [0], 0
        for place, group in enumerate(groups):
            if filled and filled + group.stored > self.options.shard:
                cuts.append(place)
                filled = 0
            filled += group.stored
        return list(zip(cuts, [*cuts[1:], len(groups)], strict=True))

    def read(self, part: Slice, reject: Reject) -> Iterator[pa.RecordBatch]:
        """Yield the rows of row groups [start, stop), about 4 MB a batch."""
        with _opened(part.file) as opened:
            name = part.file.name
            self._schemas.check(name, opened.parquet.schema_arrow)
            groups = row_groups(opened.raw, part.file.size, name)
            if sum(group.rows for group in groups) != opened.parquet.metadata.num_rows:
                raise CorruptFile(name, "footer and row groups disagree on the number of rows")
            if error := part.limits.exceeded(name, part.file.size, sum(group.plain for group in groups)):
                raise error
            row = sum(group.rows for group in groups[: part.start])
            for place in range(part.start, part.stop):
                end = row + groups[place].rows
                for batch, rows in self._group(opened, groups[place], place, row, part, reject):
                    yield batch
                    row += rows
                if row != end:
                    raise CorruptFile(name, f"row group {place} holds {end - row} rows less than it says")

    def _group(
        self, opened: _Opened, group: RowGroup, place: int, row: int, part: Slice, reject: Reject
    ) -> Iterator[tuple[pa.RecordBatch, int]]:
        """Yield batches of one row group, each with the rows it had before bad ones were rejected."""
        parquet, name = opened.parquet, part.file.name
        present = set(parquet.schema_arrow.names)
        wanted = list(dict.fromkeys(theirs for theirs in self._schemas.columns.values() if theirs in present))
        if not group.rows:
            return
        what = f"row group {place} "
        stored, repeated = _guarded(opened.raw, group, wanted, part, what)
        rows = group.rows * BATCH_BYTES // max(1, group.plain)
        rows = max(1, min(MOST_ROWS, rows, LARGEST_BATCH // max(1, repeated)))
        plain = 0
        for batch in parquet.iter_batches(batch_size=rows, row_groups=[place], columns=wanted, use_threads=False):
            taken = checked_batch(batch, row, self._schemas, part.limits, reject)
            plain += max(batch.nbytes, taken.nbytes)
            if error := part.limits.exceeded(name, stored, plain, what=what):
                raise error
            row += batch.num_rows
            yield taken, batch.num_rows


class _Opened(NamedTuple):
    parquet: ParquetFile
    raw: Watched


@contextmanager
def _opened(file: InputFile) -> Iterator[_Opened]:
    """Open a Parquet file; what goes wrong inside it, but not in the storage below, becomes CorruptFile."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    raw = Watched(file.open())
    try:
        source = pa.PythonFile(raw, mode="r")
        yield _Opened(pq.ParquetFile(source, page_checksum_verification=True, pre_buffer=False), raw)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:  # names of columns may be damaged, too
        if raw.failure is not None:
            raise raw.failure from None
        reason = "damaged or truncated Parquet file" if file.size else "no data at all in a Parquet file (truncated)"
        raise CorruptFile(file.name, f"{reason} ({error})") from error
    finally:
        raw.close()


def _guarded(raw: Watched, group: RowGroup, wanted: list[str], part: Slice, what: str) -> tuple[int, int]:
    """Return the stored bytes of the wanted columns and the largest value that one row can repeat.

    Raises CorruptFile where pages expand too far.
    """
    stored = repeated = 0
    for chunk in group.chunks:
        if not any(chunk.path == name or chunk.path.startswith(f"{name}.") for name in wanted):
            continue
        sizes = page_sizes(raw, chunk, part.file.name)
        if error := part.limits.exceeded(part.file.name, sizes.stored, sizes.plain, what=what):
            raise error
        stored += sizes.stored
        repeated += largest_value(raw, chunk, sizes)
    return stored, repeated
