"""write.jsonl: one JSON object a line, plain, gzip or zstd."""

from __future__ import annotations

import base64
import decimal
from collections.abc import Iterable
from typing import IO, TYPE_CHECKING, Any, Literal

import orjson

from corpusmill import Size, Writer, option
from corpusmill_plugins.writers.card import readme
from corpusmill_plugins.writers.compression import compressor

if TYPE_CHECKING:
    import pyarrow as pa

SUFFIXES = {"none": ".jsonl", "gzip": ".jsonl.gz", "zstd": ".jsonl.zst"}


class Jsonl(Writer):
    """Write JSON Lines, the same bytes for the same rows, with a dataset card beside them.

    Columns keep their order. Bytes become base64, times ISO 8601 text, decimals text, maps lists of pairs; NaN and
    infinities, which JSON does not have, become null.
    """

    depends = ("orjson",)

    class Options(Writer.Options):
        """Options of write.jsonl."""

        path: str = option(help="folder to publish, from the current folder; made at once when all rows are there")
        file_bytes: Size = option(512_000_000, help="text after which a new file starts", unit="bytes", gt=0)
        compression: Literal["none", "gzip", "zstd"] = option("none", help="compression of the files")
        level: int = option(6, ge=1, le=9, help="level of gzip; zstd has its fast one, 1")
        replace: bool = option(False, help="replace a folder that another plan made", affects_result=False)

    def __init__(self, *arguments: Any, **named: Any):
        super().__init__(*arguments, **named)
        self.suffix = SUFFIXES[self.options.compression]  # type: ignore[misc]  # the one option that names files

    def file_bytes(self) -> int:
        """Return the size of a file in bytes of text."""
        return int(self.options.file_bytes)

    def encode(self, schema: pa.Schema, batches: Iterable[pa.RecordBatch], sink: IO[bytes]) -> None:
        """Write all batches as one file."""
        out = compressor(self.options.compression, self.options.level, sink)
        names = schema.names
        for batch in batches:
            columns = [_values(batch.column(name)) for name in names]
            for row in zip(*columns, strict=True):
                line = dict(zip(names, row, strict=True))
                out.write(orjson.dumps(line, default=_plain, option=orjson.OPT_APPEND_NEWLINE))
        out.finish()

    def card(self, facts: dict[str, Any]) -> dict[str, bytes]:
        """Return the dataset card."""
        return {"README.md": readme(facts, self.suffix)}


def _values(column: pa.Array) -> list[Any]:
    """Return Python values; times as text, because Python's have no nanoseconds."""
    import pyarrow as pa

    if pa.types.is_temporal(column.type):
        kind = pa.int64() if pa.types.is_duration(column.type) else pa.string()
        column = column.cast(kind)
    values: list[Any] = column.to_pylist()
    return values


def _plain(value: Any) -> Any:
    """Return what JSON can say for a value orjson does not know."""
    if isinstance(value, (bytes, memoryview)):
        return base64.b64encode(value).decode()
    if isinstance(value, decimal.Decimal):
        return str(value)
    raise TypeError(f"no JSON for a {type(value).__name__}")
