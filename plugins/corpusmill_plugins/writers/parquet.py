"""write.parquet: Parquet files that other tools read as they are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import IO, TYPE_CHECKING, Any, Literal

from corpusmill import Size, Writer, option
from corpusmill_plugins.writers.card import readme
from corpusmill_plugins.writers.row_groups import row_groups

if TYPE_CHECKING:
    import pyarrow as pa

GROUP_BYTES = 32 << 20
GROUP_ROWS = 65_536
LEVELLED = frozenset({"zstd", "gzip", "brotli"})


class Parquet(Writer):
    """Write Parquet files, the same bytes for the same rows.

    Row groups hold about 32 MB of text or 65,536 rows; pages carry checksums; strings and lists have 32-bit offsets,
    as most readers expect. Beside them lies a dataset card with the splits.
    """

    suffix = ".parquet"
    depends = ("pyarrow",)

    class Options(Writer.Options):
        """Options of write.parquet."""

        path: str = option(help="folder to publish, from the current folder; made at once when all rows are there")
        file_bytes: Size = option(512_000_000, help="text after which a new file starts", unit="bytes", gt=0)
        compression: Literal["zstd", "snappy", "gzip", "brotli", "lz4", "none"] = option(
            "zstd", help="codec of the pages"
        )
        level: int = option(1, ge=1, le=19, help="level of zstd, gzip (to 9) or brotli (to 11); others have none")
        replace: bool = option(False, help="replace a folder that another plan made", affects_result=False)

    def file_bytes(self) -> int:
        """Return the size of a file in bytes of text."""
        return int(self.options.file_bytes)

    def encode(self, schema: pa.Schema, batches: Iterable[pa.RecordBatch], sink: IO[bytes]) -> None:
        """Write all batches as one file."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        small = pa.schema([(field.name, narrow(field.type)) for field in schema])
        codec = self.options.compression
        with pq.ParquetWriter(
            sink,
            small,
            compression=codec,
            compression_level=self.options.level if codec in LEVELLED else None,
            write_page_checksum=True,
        ) as writer:
            for table in row_groups(batches, GROUP_BYTES, GROUP_ROWS):
                writer.write_table(table.cast(small), row_group_size=max(1, table.num_rows))

    def card(self, facts: dict[str, Any]) -> dict[str, bytes]:
        """Return the dataset card."""
        return {"README.md": readme(facts, self.suffix)}


def narrow(kind: pa.DataType) -> pa.DataType:
    """Return a type with 32-bit offsets; a row group is far below their limit."""
    import pyarrow as pa

    if pa.types.is_large_string(kind):
        return pa.string()
    if pa.types.is_large_binary(kind):
        return pa.binary()
    if pa.types.is_large_list(kind) or pa.types.is_list(kind):
        return pa.list_(narrow(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([(field.name, narrow(field.type)) for field in kind])
    return kind
