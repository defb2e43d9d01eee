"""A writer that writes null as the empty text."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import IO, Any

import pyarrow as pa

import corpusmill as mill


class EmptyForNull(mill.Writer):
    """Writes JSON Lines."""

    class Options(mill.Writer.Options):
        """Where to."""

        path: str = mill.option(help="folder to publish")

    suffix = ".jsonl"

    def encode(self, schema: pa.Schema, batches: Iterable[pa.RecordBatch], sink: IO[bytes]) -> None:
        for batch in batches:
            rows = [{name: value or "" for name, value in row.items()} for row in batch.to_pylist()]
            sink.writelines(json.dumps(row).encode() + b"\n" for row in rows)


@mill.hookimpl
def corpusmill_register(registry: Any) -> None:
    registry.writer("empty-for-null", EmptyForNull, "Broken on purpose.")
