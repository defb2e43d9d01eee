"""read.parquet: row groups of Parquet files, with one schema for all files and page checksums verified."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from corpusmill import CorruptFile, InputError, InputFile, Reader, ReadLimits, Reject, Slice, option
from corpusmill_plugins.readers.columns import column_map
from corpusmill_plugins.readers.rows import checked_batch
from corpusmill_plugins.readers.schemas import Schemas, decode_schema, encode_schema
from corpusmill_plugins.readers.streams import EXPANSION_GRACE, Watched

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.parquet import FileMetaData, ParquetFile

BATCH_BYTES = 4 << 20
MOST_ROWS = 8192


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

        columns: Literal["all"] | dict[str, str] | list[str] | None = option(
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
                with _opened(file) as parquet:
                    seen = seen or (file.name, parquet.schema_arrow.names)
                    self._schemas.add(file.name, parquet.schema_arrow)
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
        with _opened(file) as parquet:
            self._schemas.check(file.name, parquet.schema_arrow)
            metadata = parquet.metadata
            cuts, filled = [0], 0
            for group in range(metadata.num_row_groups):
                size = _stored_bytes(metadata, group)
                if filled and filled + size > self.options.shard:
                    cuts.append(group)
                    filled = 0
                filled += size
        return list(zip(cuts, [*cuts[1:], metadata.num_row_groups], strict=True))

    def read(self, part: Slice, reject: Reject) -> Iterator[pa.RecordBatch]:
        """Yield the rows of row groups [start, stop), about 4 MB a batch."""
        with _opened(part.file) as parquet:
            self._schemas.check(part.file.name, parquet.schema_arrow)
            metadata = parquet.metadata
            counts = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
            if sum(counts) != metadata.num_rows:
                raise CorruptFile(part.file.name, "footer and row groups disagree on the number of rows")
            for group in range(part.start, part.stop):
                row, end = sum(counts[:group]), sum(counts[: group + 1])
                for batch in self._group(parquet, group, part):
                    yield checked_batch(batch, row, self._schemas, part.limits, reject)
                    row += batch.num_rows
                if row != end:
                    raise CorruptFile(part.file.name, f"row group {group} holds {end - row} rows less than it says")

    def _group(self, parquet: ParquetFile, group: int, part: Slice) -> Iterator[pa.RecordBatch]:
        _refuse_bomb(parquet.metadata, group, part.file.name, part.limits)
        size = parquet.metadata.row_group(group).total_byte_size
        rows = parquet.metadata.row_group(group).num_rows
        batch_rows = max(1, min(MOST_ROWS, rows * BATCH_BYTES // max(1, size)))
        present = set(parquet.schema_arrow.names)
        wanted = list(dict.fromkeys(name for name in self._schemas.columns.values() if name in present))
        yield from parquet.iter_batches(batch_size=batch_rows, row_groups=[group], columns=wanted, use_threads=False)


@contextmanager
def _opened(file: InputFile) -> Iterator[ParquetFile]:
    """Open a Parquet file; what goes wrong inside it, but not in the storage below, becomes CorruptFile."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    raw = Watched(file.open())
    try:
        yield pq.ParquetFile(pa.PythonFile(raw, mode="r"), page_checksum_verification=True, pre_buffer=False)
    except (pa.ArrowException, OSError) as error:
        if raw.failure is not None:
            raise raw.failure from None
        reason = "damaged or truncated Parquet file" if file.size else "no data at all in a Parquet file (truncated)"
        raise CorruptFile(file.name, f"{reason} ({error})") from error
    finally:
        raw.close()


def _stored_bytes(metadata: FileMetaData, group: int) -> int:
    columns = range(metadata.num_columns)
    return sum(metadata.row_group(group).column(column).total_compressed_size for column in columns)


def _refuse_bomb(metadata: FileMetaData, group: int, name: str, limits: ReadLimits) -> None:
    stored, plain = _stored_bytes(metadata, group), metadata.row_group(group).total_byte_size
    if plain > EXPANSION_GRACE and plain > limits.max_expansion * stored:
        raise CorruptFile(name, f"row group {group} expands more than {limits.max_expansion}:1 (a decompression bomb?)")
